package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server/tracing"
)

// tracingFlags returns the flags about traces.
func (o *observation) tracingFlags() []cli.Option {
	return []cli.Option{
		{
			Name: "tracing", Arg: "URL", Help: "send traces to this OpenTelemetry collector: http://127.0.0.1:4318",
			Default: "that of OTEL_*", Parse: collector(&o.tracing),
		},
		{
			Name: "tracing-sample", Arg: "PART",
			Help:    "part of new traces that is recorded, 10% or 0.1; others follow who began them",
			Default: "100%", Parse: part(&o.sample),
		},
	}
}

// collector takes the URL of a collector.
func collector(p *string) func(string) error {
	return func(s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return tracing.ErrEndpoint
		}
		*p = s
		return nil
	}
}

// part takes a part of a whole.
func part(p **float64) func(string) error {
	return func(s string) error {
		number, percent := strings.CutSuffix(s, "%")
		v, err := strconv.ParseFloat(number, 64)
		if percent {
			v /= 100
		}
		if err != nil || !(v >= 0 && v <= 1) {
			return errors.New("want a part, such as 10% or 0.1")
		}
		*p = &v
		return nil
	}
}

// traceTimeout is how long the end of the server waits for the collector.
const traceTimeout = 2 * time.Second

// openTracing has requests traced if the settings or the variables of OpenTelemetry ask for it. Release: closeTracing.
func (v *service) openTracing() (err error) {
	o := &v.settings.observe
	if o.tracing == "" && !tracing.Wanted(os.Getenv) {
		return nil
	}
	v.tracer, err = tracing.New(v.ctx, tracing.Config{Endpoint: o.tracing, Sample: o.sample}, os.Getenv)
	if err != nil {
		return fmt.Errorf("--tracing: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { v.log.Warn("traces are lost", "error", err) }))
	v.settings.config.Tracer = v.tracer
	return nil
}

// closeTracing sends the last spans.
func (v *service) closeTracing() {
	if v.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
	defer cancel()
	if err := v.tracer.Close(ctx); err != nil {
		v.log.Warn("traces are lost", "error", err)
	}
}
