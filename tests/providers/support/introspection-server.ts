/** An introspection endpoint on a real loopback port: it remembers what it was asked, and answers as a test says. */

import type { IncomingHttpHeaders, RequestListener } from "node:http";
import { Recorder } from "../../support/recorder.js";
import { json, startKeyServer, type KeyServer } from "./key-server.js";

export interface Question {
  readonly headers: IncomingHttpHeaders;
  readonly form: URLSearchParams;
}

export interface IntrospectionServer {
  readonly server: KeyServer;
  readonly endpoint: string;
  /** Every question whose body arrived. */
  readonly questions: Recorder<Question>;
  /** What is said of a token from now on. */
  say(answer: (token: string) => unknown): void;
  /** What happens from now on in place of an answer. */
  fail(listener: RequestListener): void;
}

export async function startIntrospectionServer(say: (token: string) => unknown): Promise<IntrospectionServer> {
  const questions = new Recorder<Question>();
  const answerWith =
    (answer: (token: string) => unknown): RequestListener =>
    (request, response) => {
      let text = "";
      request.setEncoding("utf8");
      request.on("data", (chunk: string) => (text += chunk));
      request.on("end", () => {
        const form = new URLSearchParams(text);
        questions.push({ headers: request.headers, form });
        json(answer(form.get("token") ?? ""))(request, response);
      });
    };
  const server = await startKeyServer(answerWith(say));
  return {
    server,
    endpoint: `${server.origin}/introspect`,
    questions,
    say: (answer) => (server.answer = answerWith(answer)),
    fail: (listener) => (server.answer = listener),
  };
}
