"""The AWS Common Runtime's S3 client as a contestant of `npm run bench -- checkpoint-upload`; lines as in boto3_peer.py.

Up: CRC32 trailers, which the server checks. Down: ranges in parallel; the client checks the CRC32 of the whole where the
object has one (sent in one request), and what it could not check itself is read again here and compared.
"""

import json
import os
import sys
import time
from base64 import b64encode

import boto3
from awscrt import auth, checksums, http, io, s3

MIB = 1024 * 1024
PART_BYTES = 8 * MIB
bucket = os.environ["BENCH_BUCKET"]
host = os.environ["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
region = os.environ["AWS_REGION"]
keys = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
loops = io.EventLoopGroup(2)
bootstrap = io.ClientBootstrap(loops, io.DefaultHostResolver(loops))
credentials = auth.AwsCredentialsProvider.new_static(*keys)
listing = boto3.client("s3")


def connect(threshold: int) -> s3.S3Client:
    return s3.S3Client(
        bootstrap=bootstrap,
        region=region,
        tls_mode=s3.S3RequestTlsMode.DISABLED,
        signing_config=s3.create_default_s3_signing_config(region=region, credential_provider=credentials),
        part_size=PART_BYTES,
        multipart_upload_threshold=threshold,
    )


clients = {True: connect(1024 * MIB), False: connect(PART_BYTES)}


def upload(client: s3.S3Client, path: str, key: str) -> s3.S3Request:
    size = str(os.path.getsize(path))
    headers = [("host", host), ("content-length", size), ("content-type", "application/octet-stream")]
    return client.make_request(
        type=s3.S3RequestType.PUT_OBJECT,
        request=http.HttpRequest("PUT", f"/{bucket}/{key}", http.HttpHeaders(headers)),
        send_filepath=path,
        checksum_config=s3.S3ChecksumConfig(
            algorithm=s3.S3ChecksumAlgorithm.CRC32, location=s3.S3ChecksumLocation.TRAILER
        ),
    )


def download(client: s3.S3Client, path: str, key: str, unchecked: list) -> s3.S3Request:
    def done(did_validate_checksum: bool = False, **_: object) -> None:
        if not did_validate_checksum:
            unchecked.append((path, key))

    return client.make_request(
        type=s3.S3RequestType.GET_OBJECT,
        request=http.HttpRequest("GET", f"/{bucket}/{key}", http.HttpHeaders([("host", host)])),
        recv_filepath=path,
        checksum_config=s3.S3ChecksumConfig(validate_response=True),
        on_done=done,
    )


def check(path: str, key: str) -> None:
    """Compares with the checksum of the object: of the whole, or of the checksums of its parts."""
    expected = listing.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")["ChecksumCRC32"]
    whole, parts = 0, b""
    with open(path, "rb") as file:
        while chunk := file.read(PART_BYTES):
            if "-" in expected:
                parts += checksums.crc32(chunk).to_bytes(4, "big")
            else:
                whole = checksums.crc32(chunk, whole)
    found = checksums.crc32(parts) if parts else whole
    if b64encode(found.to_bytes(4, "big")).decode() != expected.split("-")[0]:
        raise ValueError(f"{path} has another CRC32 than {key}")


def move(request: dict) -> None:
    directory, prefix = request["directory"], request["prefix"]
    client = clients[request["wholeFiles"]]
    unchecked: list = []
    if request["way"] == "up":
        names = os.listdir(directory)
        requests = [upload(client, f"{directory}/{name}", f"{prefix}/{name}") for name in names]
    else:
        os.makedirs(directory)
        found = [each["Key"] for each in listing.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/")["Contents"]]
        requests = [download(client, f"{directory}/{os.path.basename(key)}", key, unchecked) for key in found]
    for each in requests:
        each.finished_future.result()
    for path, key in unchecked:
        check(path, key)


for line in sys.stdin:
    try:
        started = time.perf_counter()
        move(json.loads(line))
        answer = {"seconds": time.perf_counter() - started}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
