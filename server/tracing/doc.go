// Package tracing sends spans of requests to a collector, by OpenTelemetry's OTLP over HTTP.
//
//	tracer, err := tracing.New(ctx, tracing.Config{Endpoint: "http://127.0.0.1:4318"}, os.Getenv)
//	config.Tracer = tracer
//	defer tracer.Close(ctx)
//
// A request that is recorded has these spans, of which the worker's own are the children of the third:
//
//	GET /shop                 from its head until it is over
//	├── queue                 until a worker was found
//	└── worker                from then on
//	    └── first byte        until the response began
//
// Requests that are not recorded cost the decision, and the field that tells their worker.
package tracing
