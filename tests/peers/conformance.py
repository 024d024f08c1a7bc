"""Compares answers of an AWS endpoint with the service model of botocore, which comes from AWS.

botocore parses what it knows and is silent about the rest. Here the raw answer is looked at as well: members that the
model does not have, members that it requires, types, enumerations, patterns, lengths, status codes, error codes.
"""

import copy
import datetime
import json
import re

import boto3
import cbor2
from botocore.config import Config
from botocore.exceptions import ClientError

# Errors that a service model leaves to the service's documentation, and their status.
COMMON_ERRORS = {"ValidationError": 400}


def value_problems(shape, value, where, known=()):
    """Every way in which a JSON value is not what the model's shape says, one line each.

    `known` has pairs of a path's end and a rule (`min`, `max`, `pattern`, `enum`) that is broken on purpose.
    """

    def breaks(rule, text):
        is_known = any(where.endswith(path) and rule == known_rule for path, known_rule in known)
        return [] if is_known else [f"{where}: {text}"]

    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{where}: not an object: {value!r}"]
        return structure_problems(shape, value, where, known)
    if kind == "list":
        if not isinstance(value, list):
            return [f"{where}: not a list: {value!r}"]
        return [
            problem
            for index, item in enumerate(value)
            for problem in value_problems(shape.member, item, f"{where}[{index}]", known)
        ]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{where}: not an object: {value!r}"]
        return [
            problem
            for key, item in value.items()
            for problem in value_problems(shape.key, key, f"{where} key {key!r}", known)
            + value_problems(shape.value, item, f"{where}.{key}", known)
        ]
    python_types = {
        "string": str,
        "character": str,
        "integer": int,
        "long": int,
        "float": (int, float),
        "double": (int, float),
        "boolean": bool,
        # The last is what cbor2 makes of a number with the tag of times.
        "timestamp": (int, float, str, datetime.datetime),
        "blob": str,
    }
    if not isinstance(value, python_types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{where}: {value!r} is not a {kind}"]
    problems = []
    rules = shape.metadata
    if rules.get("enum") and value not in rules["enum"]:
        problems += breaks("enum", f"{value!r} is not one of {', '.join(rules['enum'])}")
    # Python has no classes such as \p{L}; a few patterns of keys and tags use them.
    if "\\p{" not in rules.get("pattern", "\\p{") and not re.fullmatch(rules["pattern"], value):
        problems += breaks("pattern", f"{value!r} does not match {rules['pattern']}")
    size = len(value) if isinstance(value, str) else value
    if "min" in rules and size < rules["min"]:
        problems += breaks("min", f"{value!r} is below the minimum {rules['min']}")
    if "max" in rules and size > rules["max"]:
        problems += breaks("max", f"{value!r} is above the maximum {rules['max']}")
    return problems


def structure_problems(shape, value, where, known=()):
    members = {}
    for name, member in shape.members.items():
        if "location" not in member.serialization:
            members[member.serialization.get("name", name)] = member
    problems = [f"{where}: the model has no member {name!r}" for name in value if name not in members]
    for name in shape.required_members:
        wire_name = shape.members[name].serialization.get("name", name)
        if wire_name in members and value.get(wire_name) is None:
            problems.append(f"{where}: the model requires {name!r}")
    for name, item in value.items():
        # botocore takes null for an absent member.
        if name in members and item is not None:
            problems += value_problems(members[name], item, f"{where}.{name}", known)
    return problems


def header_problems(shape, headers, where):
    known = {"x-amzn-requestid", "x-amzn-errortype"}
    for member in shape.members.values() if shape else ():
        if member.serialization.get("location") == "header":
            known.add(member.serialization["name"].lower())
    return [
        f"{where}: the model has no header {name!r}"
        for name in (name.lower() for name in headers)
        if name.startswith("x-amz") and name not in known
    ]


class Checks:
    """Runs checks one after the other, prints a line for each, and counts those that found a mismatch."""

    def __init__(self, endpoint, known=()):
        self.endpoint = endpoint
        self.known = known
        self._operations = {}
        self.mismatches = 0
        self._raw = None

    def operations(self, service):
        """The operations of a service that have answered a call as they should."""
        return self._operations.setdefault(service, set())

    def client(self, service, protocol=None):
        """A client of a service; one of several protocols is forced where it is named."""
        session = boto3.session.Session()
        if protocol:
            loader = session._session.get_component("data_loader")
            load = loader.load_service_model

            def load_with_protocol(service_name, type_name, *rest, **named):
                model = copy.deepcopy(load(service_name, type_name, *rest, **named))
                if (service_name, type_name) == (service, "service-2"):
                    model["metadata"]["protocols"] = [protocol]
                return model

            loader.load_service_model = load_with_protocol
        client = session.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # Whatever is sent goes out once and as it is: the endpoint is to refuse what is wrong, not botocore.
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=60),
        )
        client.meta.events.register(f"before-parse.{service}.*", self._keep_raw)
        return client

    def _keep_raw(self, operation_model, response_dict, **_):
        self._raw = (operation_model, response_dict)

    def tell(self, name, problems):
        if problems:
            self.mismatches += 1
        print(f"{'MISMATCH' if problems else 'ok':<8}  {name}", flush=True)
        for problem in problems:
            print(f"          {problem}", flush=True)

    def expect(self, name, is_so, found):
        self.tell(name, [] if is_so else [f"found {found!r}"])

    def answer(self, name, call, **arguments):
        """A call that must go well; its parsed answer, whose raw form was compared with the model."""
        try:
            parsed = call(**arguments)
        except ClientError as error:
            self.tell(name, [f"refused: {error}"])
            return {}
        self.tell(name, self._success_problems())
        return parsed

    def _success_problems(self):
        operation, response = self._raw
        self.operations(operation.service_model.service_name).add(operation.name)
        shape, where = operation.output_shape, operation.name
        status = operation.http.get("responseCode", 200)
        problems = []
        has_own_status = shape is not None and any(
            member.serialization.get("location") == "statusCode" for member in shape.members.values()
        )
        if response["status_code"] != status and not has_own_status:
            problems.append(f"{where}: status {response['status_code']}, and the model says {status}")
        problems += header_problems(shape, response["headers"], where)
        if operation.has_streaming_output:
            return problems
        body = response["body"]
        if operation.service_model.resolved_protocol == "query":
            return problems + query_problems(operation, body)
        if shape is None:
            return problems + ([f"{where}: a body where the model has none: {body!r}"] if body else [])
        # A shape whose members are all in the status and the headers leaves no body.
        if not body and all("location" in member.serialization for member in shape.members.values()):
            return problems
        if operation.service_model.resolved_protocol == "smithy-rpc-v2-cbor":
            return problems + value_problems(shape, cbor2.loads(body), where, self.known)
        return problems + value_problems(shape, json.loads(body), where, self.known)

    def refusal(self, name, code, call, **arguments):
        """A call that must fail with `code`, which must be an error that the model gives the operation."""
        try:
            call(**arguments)
        except ClientError as error:
            # A service with an older protocol tells that one's name as well, and botocore takes that for the code.
            answer = error.response["Error"]
            found = {answer["Code"], answer.get("QueryErrorCode", answer["Code"])}
            problems = self._error_problems(code)
            self.tell(name, problems if code in found else [f"refused with {found} and not {code}: {error}"])
            return error.response
        self.tell(name, [f"not refused; expected {code}"])
        return {}

    def _error_problems(self, code):
        operation, response = self._raw
        where = f"{operation.name} {code}"
        codes = {shape.metadata.get("error", {}).get("code", shape.name): shape for shape in operation.error_shapes}
        shape = codes.get(code)
        if shape is None and code in COMMON_ERRORS:
            status, text = response["status_code"], f"{where}: the status of a common error is {COMMON_ERRORS[code]}"
            return [] if status == COMMON_ERRORS[code] else [f"{text}, not {status}"]
        if shape is None:
            return [f"{where}: the model has no such error for {operation.name}"]
        problems = []
        if operation.service_model.protocol == "json":
            status, body = 400, json.loads(response["body"])
            kind = body.pop("__type", "")
            if kind.rpartition("#")[2] != code:
                problems.append(f"{where}: the body names {kind!r}")
            body.pop("message", None)
            problems += value_problems(shape, body, where, self.known)
            return problems + ([] if response["status_code"] == status else [f"{where}: {response['status_code']}"])
        status = shape.metadata["error"]["httpStatusCode"]
        if response["status_code"] != status:
            problems.append(f"{where}: status {response['status_code']}, and the model says {status}")
        if operation.service_model.resolved_protocol == "smithy-rpc-v2-cbor":
            body = cbor2.loads(response["body"])
        else:
            body = json.loads(response["body"])
        # What tells the errors of an RPC protocol apart is no member of them.
        body.pop("__type", None)
        if not (body.get("message") or body.get("Message")):
            problems.append(f"{where}: no text")
        # An operation's output headers are not those of its errors.
        return problems + value_problems(shape, body, where, self.known)


def query_problems(operation, body):
    """Members of an XML answer against the model, one level deep."""
    from xml.etree import ElementTree

    namespace = "{" + operation.service_model.metadata["xmlNamespace"] + "}"
    root = ElementTree.fromstring(body)
    result = root.find(f"{namespace}{operation.output_shape.serialization.get('resultWrapper', operation.name + 'Result')}")
    if root.tag != f"{namespace}{operation.name}Response" or result is None:
        return [f"{operation.name}: not the envelope of its model: {body!r}"]
    value = {element.tag.removeprefix(namespace): element.text for element in result}
    return structure_problems(operation.output_shape, value, operation.name)


def smallest(shape):
    """The smallest argument that serialises: what is required, and nothing else."""
    kind = shape.type_name
    if kind == "structure":
        return {name: smallest(shape.members[name]) for name in shape.required_members}
    if kind in ("list", "map"):
        return [] if kind == "list" else {}
    if kind in ("integer", "long", "float", "double"):
        return 1
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 0
    return b"x" if kind == "blob" else "x"
