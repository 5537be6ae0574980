"""boto3 as a contestant of `npm run bench -- checkpoint-upload`. One JSON request a line in, one JSON answer a line out.

A request: {"way": "up" | "down", "directory", "prefix"}. An answer: {"seconds"} or {"error"}.
Up: the server checks the CRC32 of each request, and the SHA-256 of each body that signs it over plain HTTP.
Down: botocore checks the CRC32 of a whole object while it reads it. It checks none of a range, nor of an object that was
uploaded in parts, so files go whole, which is the fastest here too.
"""

import json
import os
import sys
import time

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config

MIB = 1024 * 1024
bucket = os.environ["BENCH_BUCKET"]
client = boto3.client("s3", config=Config(max_pool_connections=32))


def move(request: dict) -> None:
    config = TransferConfig(
        multipart_threshold=1024 * MIB,
        max_concurrency=8,
        io_chunksize=MIB,
        max_io_queue=1000,
        preferred_transfer_client="classic",
    )
    directory, prefix = request["directory"], request["prefix"]
    with create_transfer_manager(client, config) as manager:
        if request["way"] == "up":
            extra = {"ChecksumAlgorithm": "CRC32"}
            names = os.listdir(directory)
            futures = [manager.upload(f"{directory}/{name}", bucket, f"{prefix}/{name}", extra) for name in names]
        else:
            os.makedirs(directory)
            keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/")["Contents"]]
            futures = [manager.download(bucket, key, f"{directory}/{os.path.basename(key)}") for key in keys]
        for future in futures:
            future.result()


for line in sys.stdin:
    try:
        started = time.perf_counter()
        move(json.loads(line))
        answer = {"seconds": time.perf_counter() - started}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
