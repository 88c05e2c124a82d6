"""The module that Lambda puts beside inline source: it answers CloudFormation for a custom resource.

Its interface is documented at
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cfn-lambda-function-code-cfnresponsemodule.html
"""

from __future__ import annotations

from dataclasses import dataclass

_PYTHON = '''"""Answers CloudFormation for a custom resource."""

import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    answer = {
        "Status": responseStatus,
        "Reason": reason or "See the details in CloudWatch Log Stream: " + context.log_stream_name,
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(answer).encode()
    headers = {"content-type": "", "content-length": str(len(body))}
    request = urllib.request.Request(event["ResponseURL"], body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as reply:
        print("Status code:", reply.status)
'''

_JAVASCRIPT = """// Answers CloudFormation for a custom resource.
exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = function (event, context, responseStatus, responseData, physicalResourceId, noEcho) {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: "See the details in CloudWatch Log Stream: " + context.logStreamName,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  const url = new URL(event.ResponseURL);
  const options = { method: "PUT", headers: { "content-type": "", "content-length": Buffer.byteLength(body) } };
  return new Promise((resolve) => {
    const client = require(url.protocol === "http:" ? "http" : "https");
    const request = client.request(url, options, (reply) => {
      reply.resume();
      reply.on("end", () => { context.done(); resolve(); });
    });
    request.on("error", (error) => { console.log("send failed: " + error); context.done(); resolve(); });
    request.end(body);
  });
};
"""


@dataclass(frozen=True, slots=True)
class Module:
    """The module of one language: the extension of its sources, the module's file and text."""

    extension: str
    file: str
    source: str


MODULES = {
    "python": Module("py", "cfnresponse.py", _PYTHON),
    "nodejs": Module("js", "cfn-response.js", _JAVASCRIPT),
}
"""By the beginning of the runtime's name."""
