// The runtime client of Node.js functions: the Lambda Runtime API, with nothing but Node's own modules.
//
// Handlers are ES modules or CommonJS, asynchronous or with a callback. What a function sees of it is what AWS's
// runtime shows: error documents with a `trace`, console lines with time, request id and level, the context object.
//
// Sources: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html, nodejs-context.html, nodejs-logging.html,
// configuration-response-streaming.html, response-streaming-tutorial.html.

import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import stream from "node:stream";
import { pathToFileURL } from "node:url";
import util from "node:util";

const API = process.env.AWS_LAMBDA_RUNTIME_API;
const ROOT = process.env.LAMBDA_TASK_ROOT;
const PREFIX = "/2018-06-01/runtime/";
const JSON_LOGS = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const LEVELS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, fatal: 5 };
const LEAST = LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || "trace").toLowerCase()] ?? 0;

const [hostname, port] = API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const required = createRequire(path.join(ROOT, "bootstrap.js"));
let requestId;

class Fault extends Error {
  constructor(type, message, cause) {
    super(message);
    this.name = type;
    if (cause?.stack) this.stack = cause.stack;
  }
}

// -- the Runtime API ------------------------------------------------------------------------------------------

function call(method, route, headers = {}, body = undefined) {
  return new Promise((resolve, reject) => {
    const options = { agent, hostname, port, method, path: PREFIX + route, headers };
    if (body !== undefined) headers["Content-Length"] = Buffer.byteLength(body);
    const request = http.request(options, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function postError(route, error) {
  const shown = describe(error);
  logError(error, shown);
  await call("POST", route, {
    "Content-Type": "application/vnd.aws.lambda.error+json",
    "Lambda-Runtime-Function-Error-Type": header(shown.errorType),
  }, JSON.stringify(shown));
}

function header(text) {
  return String(text).replace(/[^\x20-\x7e]/g, "?").slice(0, 1000);
}

/** A stack as Lambda shows it: there the function's files are in /var/task, wherever they are here. */
function traced(error) {
  return String(error.stack || "").replaceAll(`${ROOT}/`, "/var/task/").split("\n");
}

function describe(error) {
  if (util.types.isNativeError(error) || error?.stack) {
    return {
      errorType: error.name || "Error",
      errorMessage: error.message ?? String(error),
      trace: traced(error),
    };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

// -- response streaming -----------------------------------------------------------------------------------------

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");
const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";

// What a streaming handler writes to. The request to the Runtime API begins with the first write.
class ResponseStream extends stream.Writable {
  constructor(id, highWaterMark) {
    super({ highWaterMark, decodeStrings: true });
    this.id = id;
    this.contentType = "application/octet-stream";
    this.fault = undefined;
  }

  setContentType(type) {
    if (this.request) throw new Fault("InvalidStreamingOperation", "Cannot set content-type, too late.");
    this.contentType = type;
  }

  write(chunk, encoding, done) {
    const plain = typeof chunk === "string" || ArrayBuffer.isView(chunk) || chunk === null;
    this.prelude();
    return super.write(plain ? chunk : JSON.stringify(chunk), encoding, done);
  }

  end(chunk, encoding, done) {
    if (!this.writableEnded) this.prelude();
    return super.end(chunk, encoding, done);
  }

  prelude() {
    const before = this._onBeforeFirstWrite;
    this._onBeforeFirstWrite = undefined;
    if (before) before((chunk) => super.write(chunk));
  }

  open() {
    if (this.request) return;
    const headers = {
      "Content-Type": this.contentType,
      "Transfer-Encoding": "chunked",
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      Trailer: `${ERROR_TYPE}, ${ERROR_BODY}`,
    };
    const options = { agent, hostname, port, method: "POST", path: `${PREFIX}invocation/${this.id}/response`, headers };
    this.request = http.request(options);
    this.answered = new Promise((resolve, reject) => {
      this.request.on("response", (response) => response.resume().on("end", resolve));
      this.request.on("error", reject);
    });
    this.answered.catch(() => undefined);
    this.request.flushHeaders();
  }

  _write(chunk, encoding, done) {
    this.open();
    if (this.request.write(chunk)) done();
    else this.request.once("drain", done);
  }

  _final(done) {
    this.open();
    if (this.fault) {
      this.request.addTrailers({
        [ERROR_TYPE]: header(this.fault.errorType),
        [ERROR_BODY]: Buffer.from(JSON.stringify(this.fault)).toString("base64"),
      });
    }
    this.request.end();
    this.answered.then(() => done(), done);
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (options?.highWaterMark !== undefined) handler[HIGH_WATER_MARK] = parseInt(options.highWaterMark, 10);
    return handler;
  },
  HttpResponseStream: {
    from(underlying, prelude) {
      underlying.setContentType("application/vnd.awslambda.http-integration-response");
      const text = JSON.stringify(prelude);
      underlying._onBeforeFirstWrite = (write) => {
        write(text);
        write(new Uint8Array(8));
      };
      return underlying;
    },
  },
};

// Runs a streaming handler; the stream is ended for a handler that leaves it open when nothing more can happen.
async function runStreaming(handler, event, context) {
  const output = new ResponseStream(context.awsRequestId, handler[HIGH_WATER_MARK]);
  output.on("error", () => undefined);
  const empty = () => output.end();
  process.once("beforeExit", empty);
  try {
    const returned = handler(event, output, context);
    if (typeof returned?.then !== "function") throw new Fault("Runtime.InvalidStreamingOperation", "Streaming does not support non-async handlers.");
    await returned;
    await stream.promises.finished(output);
  } catch (error) {
    if (!output.request) throw error;
    output.fault = describe(error);
    logError(error, output.fault);
    if (!output.writableFinished) await new Promise((resolve) => output.end(resolve));
  } finally {
    process.removeListener("beforeExit", empty);
  }
}

// -- output ---------------------------------------------------------------------------------------------------

// A record of several lines that stays one log event: type, length, microseconds, text.
function record(text) {
  const data = Buffer.from(text, "utf8");
  const head = Buffer.alloc(16);
  head.writeUInt32BE(JSON_LOGS ? 0xa55a0002 : 0xa55a0003, 0);
  head.writeUInt32BE(data.length, 4);
  head.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  write(Buffer.concat([head, data]));
}

function write(data) {
  let at = 0;
  while (at < data.length) {
    try {
      at += fs.writeSync(1, data, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function log(level, values) {
  if (LEVELS[level] < LEAST) return;
  const time = new Date().toISOString();
  if (!JSON_LOGS) {
    record(`${time}\t${requestId ?? "undefined"}\t${level.toUpperCase()}\t${util.format(...values)}\n`);
    return;
  }
  const entry = { timestamp: time, level: level.toUpperCase(), requestId };
  if (values.length === 1 && typeof values[0] === "object" && !util.types.isNativeError(values[0])) {
    entry.message = values[0];
  } else {
    entry.message = util.format(...values);
  }
  const error = values.find((value) => util.types.isNativeError(value));
  if (error) Object.assign(entry, { errorType: error.name, errorMessage: error.message, stackTrace: traced(error) });
  record(JSON.stringify(entry) + "\n");
}

function logError(error, shown) {
  const entry = { ...shown, stack: shown.trace };
  delete entry.trace;
  if (JSON_LOGS) {
    record(JSON.stringify({ timestamp: new Date().toISOString(), level: "ERROR", requestId, message: entry }) + "\n");
    return;
  }
  record(`${new Date().toISOString()}\t${requestId ?? "undefined"}\tERROR\tInvoke Error \t${JSON.stringify(entry)}\n`);
}

for (const [name, level] of [["log", "info"], ["info", "info"], ["debug", "debug"], ["warn", "warn"], ["error", "error"], ["trace", "trace"]]) {
  console[name] = (...values) => log(level, values);
}

// -- the handler ----------------------------------------------------------------------------------------------

function find(base) {
  for (const ending of ["", ".js", ".mjs", ".cjs"]) {
    const place = base + ending;
    if (fs.existsSync(place) && fs.statSync(place).isFile()) return place;
  }
  return undefined;
}

function isModule(place) {
  if (place.endsWith(".mjs")) return true;
  if (place.endsWith(".cjs")) return false;
  for (let folder = path.dirname(place); folder.startsWith(ROOT); folder = path.dirname(folder)) {
    const described = path.join(folder, "package.json");
    if (fs.existsSync(described)) return JSON.parse(fs.readFileSync(described, "utf8")).type === "module";
  }
  return false;
}

async function load(name) {
  const folder = path.dirname(name);
  const [file, ...members] = path.basename(name).split(".");
  if (!file || members.length === 0 || name.includes("..")) {
    throw new Fault("Runtime.MalformedHandlerName", `'${name}' is not a valid handler name. Use 'file.function' instead.`);
  }
  const place = find(path.join(ROOT, folder, file));
  if (place === undefined) {
    throw new Fault("Runtime.ImportModuleError", `Error: Cannot find module '${path.join(folder, file)}'\nRequire stack:\n- ${ROOT}`);
  }
  let loaded;
  try {
    loaded = isModule(place) ? await import(pathToFileURL(place)) : required(place);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault("Runtime.UserCodeSyntaxError", error.message, error);
    if (["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error?.code)) {
      throw new Fault("Runtime.ImportModuleError", `Error: ${error.message}`, error);
    }
    throw error;
  }
  let handler = members.reduce((found, member) => found?.[member], loaded);
  handler ??= members.reduce((found, member) => found?.[member], loaded.default);
  if (handler === undefined) throw new Fault("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new Fault("Runtime.HandlerNotFound", `${name} is not a function`);
  return handler;
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const json = (name) => (headers[name] ? JSON.parse(Buffer.from(headers[name], "latin1").toString("utf8")) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    clientContext: json("lambda-runtime-client-context"),
    identity: json("lambda-runtime-cognito-identity"),
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

// The handler's result, from its promise or from its callback. A callback's result waits for the event loop to
// run empty, unless the handler says otherwise.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const settle = (error, result) => (error ? reject(error) : resolve(result));
    let settled = false;
    const later = (error, result) => {
      if (settled) return;
      settled = true;
      process.removeListener("beforeExit", empty);
      settle(error, result);
    };
    const empty = () => later(null, null);
    const callback = (error, result) => {
      if (settled) return;
      if (!context.callbackWaitsForEmptyEventLoop) return later(error, result);
      process.removeListener("beforeExit", empty);
      process.once("beforeExit", () => later(error, result));
    };
    context.done = callback;
    context.succeed = (result) => callback(null, result);
    context.fail = (error) => callback(error ?? "error");
    process.on("beforeExit", empty);
    let returned;
    try {
      returned = handler(event, context, callback);
    } catch (error) {
      return later(error);
    }
    if (typeof returned?.then === "function") returned.then((result) => later(null, result), (error) => later(error ?? new Error(String(error))));
  });
}

function encode(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch (error) {
    throw new Fault("Runtime.MarshalError", `Unable to stringify response body as json: ${error.message}`, error);
  }
}

async function serve(handler) {
  for (;;) {
    const { headers, body } = await call("GET", "invocation/next");
    requestId = headers["lambda-runtime-aws-request-id"];
    if (headers["lambda-runtime-trace-id"]) process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
    else delete process.env._X_AMZN_TRACE_ID;
    try {
      if (handler[STREAMING] === "response") {
        await runStreaming(handler, JSON.parse(body.toString("utf8")), contextOf(headers));
        continue;
      }
      const result = encode(await run(handler, JSON.parse(body.toString("utf8")), contextOf(headers)));
      await call("POST", `invocation/${requestId}/response`, { "Content-Type": "application/json" }, result);
    } catch (error) {
      await postError(`invocation/${requestId}/error`, error);
    }
  }
}

function fatal(type) {
  return async (error) => {
    const shown = error instanceof Error ? error : new Error(String(error));
    const fault = type === "Runtime.UnhandledPromiseRejection" ? new Fault(type, String(error), shown) : shown;
    await postError(requestId ? `invocation/${requestId}/error` : "init/error", fault).catch(() => undefined);
    process.exit(128);
  };
}

process.on("uncaughtException", fatal("Runtime.UncaughtException"));
process.on("unhandledRejection", fatal("Runtime.UnhandledPromiseRejection"));

let handler;
try {
  handler = await load(process.env._HANDLER);
} catch (error) {
  await postError("init/error", error);
  process.exit(1);
}
await serve(handler);
