import { SpanStatusCode, metrics, trace } from '@opentelemetry/api';

/** Runs a login, refresh or logout in a span. Neither the span nor the error's code contains a token. */
export const traced = (name, work) => trace.getTracer('regrant').startActiveSpan(name, async (span) => {
  try {
    return await work();
  } catch (error) {
    span.setAttribute('error.type', error.code ?? error.name).setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
});

/** Middleware behind `authenticate`: names the user and the session on the span of the request. */
export function identify(req, res, next) {
  trace.getActiveSpan()?.setAttributes({ 'user.id': req.auth.subject, 'session.id': req.auth.sessionId });
  next();
}

/** Reports the counters and gauges of the process. */
export function observe(auth) {
  const meter = metrics.getMeter('regrant');
  const instruments = new Map();
  for (const { name, help: description, type } of auth.metricsSnapshot()) {
    if (type === 'counter') instruments.set(name, meter.createObservableCounter(name, { description }));
    if (type === 'gauge') instruments.set(name, meter.createObservableGauge(name, { description }));
  }
  meter.addBatchObservableCallback((result) => {
    for (const { name, values } of auth.metricsSnapshot()) {
      if (!instruments.has(name)) continue;
      for (const { value, labels } of values) result.observe(instruments.get(name), value, labels);
    }
  }, [...instruments.values()]);
}
