"""Creates users with the policies in a file, {name: [document, …]}, at the endpoint: create_users.py ENDPOINT FILE.

Prints their access keys as one JSON object: {name: {"id": …, "secret": …}}.
"""

import json
import sys

from emulator import client_at


def main():
    iam = client_at(sys.argv[1], "iam")
    with open(sys.argv[2], encoding="utf-8") as file:
        users = json.load(file)
    keys = {}
    for name, documents in users.items():
        iam.create_user(UserName=name)
        for number, document in enumerate(documents):
            iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    print(json.dumps(keys))


main()
