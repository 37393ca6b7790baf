// Package conformance_test is one suite for all SDKs: what has to be true of a
// worker, whatever it is written in. Every case runs against a real server and the
// small driver program of each SDK; README.md says what a driver does.
package conformance_test

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/python"
)

// The environment of a driver, besides the socket's.
const (
	linksVariable = "CONFORMANCE_LINKS"
	lanesVariable = "CONFORMANCE_LANES"
	bellVariable  = "CONFORMANCE_BELL"
	loopVariable  = "CONFORMANCE_LOOP"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // they wait for each other's processes more than for a processor
	harness.Main(m, map[string]func(){"driver": runGoDriver, "server": harness.RunServer})
}

// sdk is one way to run the driver of an SDK.
type sdk struct {
	name  string
	start func(t testing.TB, out io.Writer, env ...string) *harness.Process
}

var sdks = []sdk{
	{name: "go", start: func(t testing.TB, out io.Writer, env ...string) *harness.Process {
		return harness.StartRole(t, out, "driver", env...)
	}},
	{name: "c-futex", start: startC("futex")},
	{name: "c-eventfd", start: startC("eventfd")},
	{name: "python", start: startPython("conformance_driver.py", "asyncio")},
	{name: "python-uvloop", start: startPython("conformance_driver.py", "uvloop")},
	{name: "python-threads", start: startPython("conformance_threads.py", "")},
}

// startPython starts a driver with an event loop, or with threads, which need none.
func startPython(file, loop string) func(t testing.TB, out io.Writer, env ...string) *harness.Process {
	return func(t testing.TB, out io.Writer, env ...string) *harness.Process {
		t.Helper()
		command, needed := python.Program(t, "tests/"+file)
		if loop == "uvloop" && !python.Has(loop) {
			t.Skip("uvloop is not installed: make test-python has it")
		}
		return harness.StartProgram(t, out, command, append(append(env, needed...), loopVariable+"="+loop)...)
	}
}

func startC(bell string) func(t testing.TB, out io.Writer, env ...string) *harness.Process {
	return func(t testing.TB, out io.Writer, env ...string) *harness.Process {
		t.Helper()
		program := cbuild.Program(t, "tests/conformance.c", "-O2")
		return harness.StartProgram(t, out, []string{program}, append(env, bellVariable+"="+bell)...)
	}
}

// conformanceCase is something that has to be true of every SDK.
type conformanceCase struct {
	promise string
	check   func(t *testing.T, r *rig)
	plainly bool // it needs HTTP/1.1 in the clear, or has nothing to do with HTTP

	// A case with any of these has a server and a driver of its own.
	config func(*server.Config)
	env    []string // of the driver
	alone  bool
}

// cases has all cases, a group for each file.
var cases = [][]conformanceCase{
	requestBodyCases, responseBodyCases, requestHeaderCases, responseHeaderCases, messageCases, earlyCases,
	interimCases, websocketCases, cancelCases, releaseCases, endCases, manyCases, lifeCases,
}

func TestConformance(t *testing.T) {
	for _, sdk := range sdks {
		t.Run(sdk.name, func(t *testing.T) {
			t.Parallel()
			runAll(t, sdk, plain)
		})
	}
}

// An SDK keeps its promises whatever version of HTTP its clients speak.
func TestOtherDoors(t *testing.T) {
	for _, sdk := range sdks {
		if slices.Contains([]string{"c-eventfd", "python-uvloop"}, sdk.name) {
			continue // how it waits is no matter of the protocol
		}
		for name, door := range otherDoors {
			t.Run(sdk.name+"-"+name, func(t *testing.T) {
				t.Parallel()
				runAll(t, sdk, door)
			})
		}
	}
}

// runAll checks all cases that can be at a door.
func runAll(t *testing.T, sdk sdk, door door) {
	var shared *rig
	for _, group := range cases {
		for _, c := range group {
			if !c.plainly || door == plain {
				shared = run(t, sdk, door, c, shared)
			}
		}
	}
	if shared != nil {
		shared.drain(t)
	}
}

// run checks one case, and returns the rig that the next one may use.
func run(t *testing.T, sdk sdk, door door, c conformanceCase, shared *rig) *rig {
	own := c.alone || c.config != nil || len(c.env) > 0
	if !own && shared == nil {
		shared = startRig(t, sdk, door, nil)
	}
	good := t.Run(strings.ReplaceAll(c.promise, " ", "_"), func(t *testing.T) {
		r := shared
		if own {
			r = startRig(t, sdk, door, c.config, c.env...)
		}
		c.check(t, r)
		if !r.driver.ended() {
			r.server.AwaitRest(t)
		}
		if own && !r.driver.ended() {
			r.drain(t)
		}
	})
	if !good && !own {
		t.Logf("server log:\n%s\ndriver:\n%s", shared.server.Log, shared.driver.Output())
		shared.driver.Kill()
		return nil // the next case starts afresh
	}
	return shared
}
