"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6;
const LONGEST_ANSWER = 200000;

start();

async function start() {
  const main = document.getElementById("operations");
  try {
    const answer = await fetch("openapi.json");
    if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
    show(await answer.json(), main);
  } catch (error) {
    main.replaceChildren(make("p", {}, `Cannot show the documentation: ${error.message}`));
  }
}

function show(api, main) {
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("description").textContent = api.info.description || "";
  const operations = listOperations(api);
  document.getElementById("contents").replaceChildren(make("ul", {}, ...operations.map(contentsLine)));
  main.replaceChildren(...(api.tags || []).map((tag) => showTag(api, tag, operations)));
}

function listOperations(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      path,
      method,
      ...item[method],
      parameters: [...(item.parameters || []), ...(item[method].parameters || [])],
    })));
}

function contentsLine(operation) {
  return make("li", {}, make("a", { href: `#${operation.operationId}` }, operation.summary || operation.path));
}

function showTag(api, tag, operations) {
  const chosen = operations.filter((operation) => (operation.tags || []).includes(tag.name));
  return make("section", {}, make("h2", {}, tag.name), make("p", { className: "muted" }, tag.description || ""),
    ...chosen.map((operation) => showOperation(api, operation)));
}

function showOperation(api, operation) {
  const body = requestBody(operation);
  const inputs = operation.parameters.map((parameter) => ({ parameter, input: make("input", { type: "text" }) }));
  const editor = body && make("textarea", { spellcheck: false }, JSON.stringify(body.example, null, 2));
  return make("details", { className: "operation", id: operation.operationId },
    make("summary", {}, make("span", { className: `method ${operation.method}` }, operation.method.toUpperCase()),
      make("code", {}, operation.path), ` ${operation.summary || ""}`),
    make("p", {}, operation.description || ""),
    inputs.length ? showParameters(inputs) : "",
    body ? make("div", {}, make("h4", {}, "Body"), showSchema(api, body.schema, 0), editor) : "",
    make("h4", {}, "Answers"), showResponses(api, operation),
    showTry(operation, inputs, editor));
}

function requestBody(operation) {
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (!content) return null;
  const first = Object.values(content.examples || {})[0];
  return { schema: content.schema, example: first ? first.value : {} };
}

function showParameters(inputs) {
  const rows = inputs.map(({ parameter, input }) => make("tr", {},
    make("td", {}, make("code", {}, parameter.name), parameter.required ? required() : ""),
    make("td", {}, parameter.in), make("td", {}, parameter.description || ""), make("td", {}, input)));
  return make("table", {}, make("tbody", {}, ...rows));
}

function showResponses(api, operation) {
  const rows = Object.entries(operation.responses || {}).map(([status, response]) => {
    const kinds = Object.entries(response.content || {});
    const schemas = kinds.map(([kind, media]) => make("details", {},
      make("summary", {}, make("code", {}, kind)), showSchema(api, media.schema || {}, 0)));
    return make("tr", {}, make("td", {}, make("strong", {}, status)),
      make("td", {}, response.description || "", ...schemas));
  });
  return make("table", {}, make("tbody", {}, ...rows));
}

function showSchema(api, given, depth) {
  const schema = resolve(api, given);
  const members = Object.entries(schema.properties || {});
  if (depth > DEEPEST) return make("span", { className: "muted" }, "…");
  if (schema.items) return make("div", {}, "list of ", showSchema(api, schema.items, depth + 1));
  const choices = schema.oneOf || schema.anyOf;
  if (choices) return make("div", {}, ...choices.map((choice) => showSchema(api, choice, depth + 1)));
  if (!members.length) return make("span", { className: "muted" }, describeType(schema));
  return make("ul", { className: "schema" }, ...members.map(([name, member]) =>
    showMember(api, name, member, (schema.required || []).includes(name), depth)));
}

function showMember(api, name, member, isRequired, depth) {
  const schema = resolve(api, member);
  const nested = schema.properties || schema.items || schema.oneOf || schema.anyOf;
  return make("li", {}, make("code", {}, name), isRequired ? required() : "", " ",
    nested ? showSchema(api, member, depth + 1) : make("span", { className: "muted" }, describeType(schema)),
    schema.description ? ` ${schema.description}` : "");
}

function resolve(api, schema) {
  let found = schema;
  for (let step = 0; found.$ref && step < 5; step += 1) {
    const target = found.$ref.split("/").slice(1).reduce((part, key) => part[key], api);
    found = { ...target, ...(found.description ? { description: found.description } : {}) };
  }
  return found;
}

function describeType(schema) {
  const type = [].concat(schema.type || "anything").join(" or ");
  const limits = ["minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "format"]
    .filter((name) => schema[name] !== undefined).map((name) => `${name} ${schema[name]}`);
  const values = schema.enum ? [`one of ${schema.enum.join(", ")}`] : [];
  return [type, ...values, ...limits].join(", ");
}

function showTry(operation, inputs, editor) {
  const output = make("div", { className: "answer" });
  const button = make("button", { type: "button" }, "Send");
  const stop = make("button", { type: "button", hidden: true }, "Stop");
  button.addEventListener("click", () => send(operation, inputs, editor, output, button, stop));
  return make("div", {}, make("h4", {}, "Try it"), button, stop, output);
}

async function send(operation, inputs, editor, output, button, stop) {
  const abort = new AbortController();
  const text = make("pre", {});
  stop.onclick = () => abort.abort();
  stop.hidden = false;
  button.disabled = true;
  try {
    const answer = await fetch(address(operation, inputs), {
      method: operation.method.toUpperCase(),
      headers: headers(inputs, editor),
      body: editor ? editor.value : undefined,
      signal: abort.signal,
    });
    const shownHeaders = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    output.replaceChildren(make("p", {}, make("strong", {}, `${answer.status} ${answer.statusText}`)),
      make("pre", {}, shownHeaders), text);
    await readInto(answer, text);
  } catch (error) {
    if (error.name !== "AbortError") output.replaceChildren(make("p", {}, String(error)));
  } finally {
    stop.hidden = true;
    button.disabled = false;
  }
}

async function readInto(answer, text) {
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  let collected = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    collected += decoder.decode(part.value, { stream: true });
    if (collected.length > LONGEST_ANSWER) {
      text.textContent = `${collected.slice(0, LONGEST_ANSWER)}\n… (cut off here)`;
      await reader.cancel();
      return;
    }
    text.textContent = collected;
  }
  if ((answer.headers.get("content-type") || "").includes("json")) {
    text.textContent = JSON.stringify(JSON.parse(collected), null, 2);
  }
}

function address(operation, inputs) {
  let path = operation.path;
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    if (parameter.in === "query" && input.value) query.set(parameter.name, input.value);
  }
  const search = query.toString();
  return path.slice(1) + (search ? `?${search}` : "");
}

function headers(inputs, editor) {
  const sent = {};
  const token = document.getElementById("token").value.trim();
  if (token) sent.Authorization = `Bearer ${token}`;
  if (editor) sent["Content-Type"] = "application/json";
  for (const { parameter, input } of inputs) {
    if (parameter.in === "header" && input.value) sent[parameter.name] = input.value;
  }
  return sent;
}

function required() {
  return make("span", { className: "required" }, " required");
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
