"""Sends two segments of a trace to the X-Ray emulator at the endpoint that it is called with, and prints the trace's id."""

import json
import sys
import time

from emulator import client_at


def main():
    xray = client_at(sys.argv[1], "xray")
    now = time.time()
    trace = f"1-{int(now):08x}-{'5' * 24}"
    segment = {
        "name": "checkout",
        "id": "1" * 16,
        "trace_id": trace,
        "start_time": now - 1,
        "end_time": now,
        "fault": True,
        "subsegments": [
            {
                "name": "payments",
                "id": "2" * 16,
                "namespace": "aws",
                "start_time": now - 0.9,
                "end_time": now - 0.1,
            }
        ],
    }
    answer = xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])
    assert not answer["UnprocessedTraceSegments"], answer
    print(trace)


if __name__ == "__main__":
    main()
