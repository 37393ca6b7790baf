package attach

import (
	"errors"
	"strings"
	"testing"
)

func goodHello() Hello {
	return Hello{
		LayoutMin: 1, LayoutMax: 2, Pool: "default", Name: "worker 1", PID: 4711,
		SDK: "go", SDKVersion: "0.1.0", Lanes: 64, Bell: BellEventfd, Stacks: 12,
	}
}

func TestAHelloAtItsLimitsIsValid(t *testing.T) {
	for name, change := range map[string]func(*Hello){
		"as it is":               func(*Hello) {},
		"pool of one":            func(h *Hello) { h.Pool = "x" },
		"pool of 64":             func(h *Hello) { h.Pool = strings.Repeat("x", 64) },
		"pool of all characters": func(h *Hello) { h.Pool = "AZaz09._-" },
		"no name":                func(h *Hello) { h.Name = "" },
		"name of 128":            func(h *Hello) { h.Name = strings.Repeat("~", 128) },
		"one lane":               func(h *Hello) { h.Lanes = 1 },
		"4096 lanes":             func(h *Hello) { h.Lanes = 4096 },
		"futex":                  func(h *Hello) { h.Bell = BellFutex },
		"one layout":             func(h *Hello) { h.LayoutMin = 2 },
		"no stacks":              func(h *Hello) { h.Stacks = 0 },
		"stacks on SIGQUIT":      func(h *Hello) { h.Stacks = 3 },
		"stacks on SIGUSR1":      func(h *Hello) { h.Stacks = 10 },
		"stacks on SIGWINCH":     func(h *Hello) { h.Stacks = 28 },
		"first real-time signal": func(h *Hello) { h.Stacks = 34 },
		"last real-time signal":  func(h *Hello) { h.Stacks = 64 },
		"no SDK":                 func(h *Hello) { h.SDK, h.SDKVersion = "", "" },
	} {
		h := goodHello()
		change(&h)
		if err := h.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheLayoutsOfAHelloAreItsRange(t *testing.T) {
	h := goodHello()
	if got := h.Layouts(); got != (LayoutRange{1, 2}) {
		t.Errorf("layouts %v", got)
	}
}

func TestAHelloBeyondItsLimitsIsRefusedByKey(t *testing.T) {
	for _, c := range []struct {
		key    string
		change func(*Hello)
	}{
		{"layout_min", func(h *Hello) { h.LayoutMin = 3 }},
		{"pool", func(h *Hello) { h.Pool = "" }},
		{"pool", func(h *Hello) { h.Pool = strings.Repeat("x", 65) }},
		{"pool", func(h *Hello) { h.Pool = "a/b" }},
		{"pool", func(h *Hello) { h.Pool = "a b" }},
		{"pool", func(h *Hello) { h.Pool = "a@b[c{`" }},
		{"pool", func(h *Hello) { h.Pool = "zażółć" }},
		{"name", func(h *Hello) { h.Name = strings.Repeat("x", 129) }},
		{"name", func(h *Hello) { h.Name = "a\nb" }},
		{"name", func(h *Hello) { h.Name = "a\x7f" }},
		{"sdk", func(h *Hello) { h.SDK = "\x1b[31m" }},
		{"sdk_version", func(h *Hello) { h.SDKVersion = strings.Repeat("1", 65) }},
		{"lanes", func(h *Hello) { h.Lanes = 0 }},
		{"lanes", func(h *Hello) { h.Lanes = 4097 }},
		{"bell", func(h *Hello) { h.Bell = "" }},
		{"bell", func(h *Hello) { h.Bell = "Futex" }},
		{"stacks", func(h *Hello) { h.Stacks = 9 }},
		{"stacks", func(h *Hello) { h.Stacks = 15 }},
		{"stacks", func(h *Hello) { h.Stacks = 19 }},
		{"stacks", func(h *Hello) { h.Stacks = 33 }},
		{"stacks", func(h *Hello) { h.Stacks = 65 }},
		{"stacks", func(h *Hello) { h.Stacks = 1<<32 - 1 }},
	} {
		h := goodHello()
		c.change(&h)
		err := h.Validate()
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Code != CodeMalformed || !strings.Contains(refusal.Message, c.key+":") {
			t.Errorf("%+v: error is %v, want a refusal about %s", h, err, c.key)
		}
	}
}

func TestARefusalOfAnyHelloFitsAPacket(t *testing.T) {
	h := goodHello()
	h.Pool = strings.Repeat("\u202e", MaxMessage)
	err := h.Validate()
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	if _, err := Encode(refusal); err != nil {
		t.Error(err)
	}
}
