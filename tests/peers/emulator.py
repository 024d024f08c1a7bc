"""What the scripts beside this one share: clients of an emulator, and archives for its functions."""

import io
import zipfile

import boto3

REGION = "us-east-1"


def client_at(endpoint, service):
    """A client of a service at an endpoint whose credentials are made up."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def archive(name, text):
    """A ZIP archive with one file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(name, text)
    return data.getvalue()
