package main

import (
	"context"
	"slices"

	"github.com/wavey-ai/upload-response/bench/exchange"
	"github.com/wavey-ai/upload-response/bench/idle"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/ring"
)

// benchmark is one that the program can run.
type benchmark struct {
	name    string
	summary string
	run     func(context.Context, *settings) (*report.Report, error)
	what    []string // names of the options that say what to measure
	how     []string // names of other options
	example string
}

func benchmarks() []benchmark {
	return []benchmark{
		{
			"ring", "the shared memory alone, beside copies of memory and bare futexes", runRing,
			[]string{"ring-cases", "readers"}, []string{"size", "time"},
			"# The shared memory alone, in half a minute\nupload-response-bench ring --quick",
		},
		{
			"http", "whole requests to workers, beside raw TCP and the handler alone", runHTTP,
			[]string{"protocols", "workers", "cases", "connections", "target", "peer"},
			[]string{"size", "time", "processes", "syscalls", "c-worker", "python", "server", "serve-flag"},
			"# Small requests of 16 connections to workers in Go and C\n" +
				"upload-response-bench http --cases requests --connections 16 --workers go,c",
		},
		{
			"memory", "the memory of a server with idle streams, beside the handler alone", runMemory,
			[]string{"memory-protocols", "streams"}, []string{"server", "serve-flag"},
			"# What a thousand idle streams hold\nupload-response-bench memory --streams 0,1000",
		},
		{
			"all", "all of these, one after the other", runAll,
			[]string{"protocols", "workers", "connections", "streams", "readers", "peer"},
			[]string{"size", "time", "processes", "c-worker", "python", "server"},
			"# Everything, into one file\nupload-response-bench all --json all.json",
		},
	}
}

func runRing(ctx context.Context, s *settings) (*report.Report, error) {
	s.ring.Options = s.common
	return ring.Run(ctx, s.ring)
}

func runHTTP(ctx context.Context, s *settings) (*report.Report, error) {
	s.http.Options = s.common
	return exchange.Run(ctx, s.http)
}

func runMemory(ctx context.Context, s *settings) (*report.Report, error) {
	s.idle.Options, s.idle.Server, s.idle.ServerFlags = s.common, s.http.Server, s.http.ServerFlags
	return idle.Run(ctx, s.idle)
}

// runAll runs one benchmark after the other. With an error it returns what was measured
// before.
func runAll(ctx context.Context, s *settings) (*report.Report, error) {
	s.idle.Protocols = slices.DeleteFunc(s.idle.Protocols,
		func(p string) bool { return !slices.Contains(s.http.Protocols, p) })
	all := s.common.NewReport()
	for _, run := range []func(context.Context, *settings) (*report.Report, error){runRing, runHTTP, runMemory} {
		found, err := run(ctx, s)
		if found != nil {
			all.Merge(found)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}
