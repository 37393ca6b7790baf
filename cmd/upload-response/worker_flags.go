package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/shm"
)

// supervisionOptions are about the life of the processes of every --worker.
func (w *appSettings) supervisionOptions() []cli.Option {
	a := &w.app
	timeout := func(name, help string, p *time.Duration) cli.Option {
		return cli.Option{Name: name, Arg: "TIME", Help: help, Default: shortTime(*p), Parse: cli.Duration(p, 0)}
	}
	stuckAfter := timeout("stuck-after",
		"replace a process without progress for this long; 0: never", &a.Stuck.After)
	stuckAfter.Default = "as --response-timeout"
	return []cli.Option{
		timeout("start-timeout", "kill a process that has not attached after this long; 0: never", &a.Start.Timeout),
		{
			Name: "give-up-after", Arg: "N",
			Help:    "answer 503 at once when every process died this often before it attached; 0: never",
			Default: strconv.Itoa(a.Start.GiveUpAfter), Parse: cli.Number(&a.Start.GiveUpAfter, 1, 0, math.MaxInt32),
		},
		stuckAfter,
		{
			Name: "stuck-stacks", Help: "have such a process print its stacks first, if it can", Default: "true",
			Parse: cli.Toggle(&a.Stuck.Stacks),
		},
		timeout("stop-timeout", "longest time that a process takes to end by SIGTERM, before SIGKILL", &a.Stop.Timeout),
		{
			Name: "recycle-requests", Arg: "N", Help: "replace a process that has served so many requests; 0: never",
			Default: "0", Parse: cli.Number(&a.Recycle.Requests, 1, 0, math.MaxInt32),
		},
		timeout("recycle-lifetime", "replace a process that has run for this long; 0: never", &a.Recycle.Lifetime),
		{
			Name: "recycle-memory", Arg: "SIZE",
			Help:    "replace a process whose resident memory, with its children's, is larger; 0: never",
			Default: "0", Parse: cli.Size(&a.Recycle.Memory, 1, 0, math.MaxInt64),
		},
		{
			Name: "recycle-jitter", Arg: "PERCENT",
			Help:    "add up to this part to both, at random, so that not all are replaced together",
			Default: percent(a.Recycle.Jitter), Parse: parsePercent(&a.Recycle.Jitter),
		},
		{
			Name: "scale-max", Arg: "N", Help: "most processes for each --worker, as the load needs them; 0: --workers",
			Default: "0", Parse: cli.Number(&w.scale.Max, 1, 0, shm.MaxLinks),
		},
		{
			Name: "scale-min", Arg: "N", Help: "least processes for each --worker, with --scale-max",
			Default: "--workers", Parse: cli.Number(&w.scale.Min, 1, 1, shm.MaxLinks),
		},
		timeout("scale-queue-wait", "add a process when a request has waited for a worker for this long",
			&w.scale.QueueWait),
		timeout("scale-idle", "remove a process when one less has been enough for this long", &w.scale.Idle),
		{
			Name: "worker-output", Arg: "FORM",
			Help:    "output of workers: raw, wrap (as log records), or auto: wrap if the log is JSON",
			Default: w.output, Parse: cli.Choice(&w.output, outputAuto, outputRaw, outputWrap),
			Words: []string{outputAuto, outputRaw, outputWrap},
		},
		{
			Name: "reload-workers", Help: "SIGHUP replaces the processes of every --worker, one after the other",
			Parse: cli.Toggle(&w.reload),
		},
	}
}

// The forms of --worker-output.
const (
	outputAuto = "auto"
	outputRaw  = "raw"
	outputWrap = "wrap"
)

// shortTime is a duration without the units that are zero: 1m, not 1m0s.
func shortTime(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}

// percent is a part as a percentage.
func percent(part float64) string { return strconv.FormatFloat(100*part, 'f', -1, 64) + "%" }

// parsePercent takes a percentage.
func parsePercent(p *float64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
		if err != nil || !(n >= 0 && n <= 100) {
			return errors.New("want a percentage from 0% to 100%")
		}
		*p = n / 100
		return nil
	}
}
