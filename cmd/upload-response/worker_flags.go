package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

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
			Default: percent(a.Recycle.Jitter), Parse: parsePercent(&a.Recycle.Jitter, 100),
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
			Name: "limit-nofile", Arg: "N", Help: "most descriptors of a process (RLIMIT_NOFILE); 0: as the server",
			Default: "0", Parse: cli.Number(&a.Limits.OpenFiles, 1, 0, math.MaxInt32),
		},
		{
			Name: "limit-memory", Arg: "SIZE", Help: "most memory of a process and its children, by a cgroup; 0: any",
			Default: "0", Parse: cli.Size(&a.Limits.Memory, 1, 0, math.MaxInt64),
		},
		{
			Name: "limit-cpu", Arg: "PERCENT", Help: "most processor time, 200% for two processors, by a cgroup",
			Default: "0", Parse: parsePercent(&a.Limits.CPU, 1e6),
		},
		{
			Name: "watch", Arg: "GLOB", Help: "replace the processes when such a file changes; repeat",
			Parse: glob(&a.Watch), Split: cli.Words,
		},
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

// glob adds a pattern of files.
func glob(p *[]string) func(string) error {
	return func(s string) error {
		if !doublestar.ValidatePathPattern(s) || s == "" {
			return errors.New("want a pattern of files, such as '**/*.py'")
		}
		*p = append(*p, s)
		return nil
	}
}

// percent is a part as a percentage.
func percent(part float64) string { return strconv.FormatFloat(100*part, 'f', -1, 64) + "%" }

// parsePercent takes a percentage.
func parsePercent(p *float64, most float64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
		if err != nil || !(n >= 0 && n <= most) {
			return errors.New("want a percentage from 0% to " + percent(most/100))
		}
		*p = n / 100
		return nil
	}
}
