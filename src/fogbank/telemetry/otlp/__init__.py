"""OpenTelemetry's protocol: spans in from functions and clients, and out to any collector.

| file | idea |
| --- | --- |
| `wire.py` | protobuf's encoding: fields in, fields out |
| `decoding.py` | ExportTraceServiceRequest, in protobuf or JSON, as spans |
| `encoding.py` | spans as ExportTraceServiceRequest |
| `exporter.py` | `Exporter`: batches to a collector, tried again, within bounds |

Source: https://opentelemetry.io/docs/specs/otlp/ and the .proto files of version 1.
"""

from fogbank.telemetry.otlp.decoding import DecodeError, decode_json, decode_protobuf
from fogbank.telemetry.otlp.encoding import encode
from fogbank.telemetry.otlp.exporter import Exporter

__all__ = ["DecodeError", "Exporter", "decode_json", "decode_protobuf", "encode"]
