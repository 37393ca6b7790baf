package shm

import (
	"errors"
	"fmt"
	"testing"
)

var example = RequestConfig{SlotSize: 64 << 10, SlotLimit: 16384, Rows: 100, Links: 64, LinkLanes: 128,
	Bytes: 256 << 20}

func TestTheExampleConfigurationFitsItsBudget(t *testing.T) {
	g, err := PlanRequest(example)
	if err != nil {
		t.Fatal(err)
	}
	if g.Len > example.Bytes || g.Len < example.Bytes*9/10 {
		t.Errorf("%d bytes of a budget of %d are used", g.Len, example.Bytes)
	}
	if share := g.Buffers / g.Rows; share < 30 {
		t.Errorf("%d buffers for each stream", share)
	}
	if tables := g.BuffersAt; tables > example.Bytes/6 {
		t.Errorf("%d bytes are not buffers", tables)
	}
}

// configs are the corners of what may be configured, and some of the middle.
func configs() []RequestConfig {
	var all []RequestConfig
	for _, slotSize := range []int{MinSlotSize, 64 << 10, MaxSlotSize} {
		for _, limit := range []int{1, 2, 5, 16384, MaxRing} {
			for _, rows := range []int{1, 100, 65536} {
				for _, links := range []int{1, 7, MaxLinks} {
					for _, lanes := range []int{1, 2, 3, 255, MaxLanes - 1, MaxLanes} {
						for _, bytes := range []uint64{64 << 20, 256 << 20, 16 << 30} {
							all = append(all, RequestConfig{slotSize, limit, rows, links, lanes, bytes})
						}
					}
				}
			}
		}
	}
	return all
}

func TestEveryPlanForRequestsPassesTheWorkersCheck(t *testing.T) {
	plans := 0
	for _, c := range configs() {
		g, err := PlanRequest(c)
		if errors.Is(err, ErrGeometry) {
			continue // too small a budget
		}
		if err != nil {
			t.Fatal(err)
		}
		plans++
		if err := g.Check(g.Len); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if g.Len > c.Bytes {
			t.Errorf("%+v: %d bytes are more than the budget", c, g.Len)
		}
		if left := c.Bytes - g.Len; left >= uint64(c.SlotSize) && g.Buffers < MaxBuffers {
			t.Errorf("%+v: %d bytes are left", c, left)
		}
		if uint64(g.InboxEntries) <= uint64(c.LinkLanes) {
			t.Errorf("%+v: an inbox of %d entries has no spare one", c, g.InboxEntries)
		}
		if g.Ring < minRing && int(g.Ring) < c.SlotLimit {
			t.Errorf("%+v: %d descriptors for each lane", c, g.Ring)
		}
	}
	if plans < 100 {
		t.Errorf("only %d configurations could be planned", plans)
	}
}

func TestEveryPlanForResponsesPassesTheWorkersCheck(t *testing.T) {
	for _, c := range configs() {
		g, err := PlanResponse(c.SlotSize, c.SlotLimit, c.LinkLanes, c.Bytes)
		if errors.Is(err, ErrGeometry) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(g.Len); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if g.Len > c.Bytes || g.Buffers < g.Lanes {
			t.Errorf("%+v: %d bytes, %d buffers", c, g.Len, g.Buffers)
		}
	}
}

func TestAConfigurationOutOfItsBoundsIsRefused(t *testing.T) {
	for name, change := range map[string]func(*RequestConfig){
		"no slot size":             func(c *RequestConfig) { c.SlotSize = 0 },
		"slot size of odd bytes":   func(c *RequestConfig) { c.SlotSize = 5000 },
		"slot size too large":      func(c *RequestConfig) { c.SlotSize = MaxSlotSize + 4096 },
		"slot size negative":       func(c *RequestConfig) { c.SlotSize = -4096 },
		"no slots":                 func(c *RequestConfig) { c.SlotLimit = 0 },
		"too many slots":           func(c *RequestConfig) { c.SlotLimit = MaxRing + 1 },
		"no streams":               func(c *RequestConfig) { c.Rows = 0 },
		"too many streams":         func(c *RequestConfig) { c.Rows = MaxRows + 1 },
		"no links":                 func(c *RequestConfig) { c.Links = 0 },
		"too many links":           func(c *RequestConfig) { c.Links = MaxLinks + 1 },
		"no lanes":                 func(c *RequestConfig) { c.LinkLanes = 0 },
		"too many lanes":           func(c *RequestConfig) { c.LinkLanes = MaxLanes + 1 },
		"no budget":                func(c *RequestConfig) { c.Bytes = 0 },
		"a budget for tables only": func(c *RequestConfig) { c.Bytes = 64 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			c := example
			change(&c)
			if _, err := PlanRequest(c); !errors.Is(err, ErrGeometry) {
				t.Errorf("%+v: %v", c, err)
			}
		})
	}
	for _, lanes := range []int{0, -1, MaxLanes + 1} {
		if _, err := PlanResponse(64<<10, 16, lanes, 1<<30); !errors.Is(err, ErrGeometry) {
			t.Errorf("%d lanes: %v", lanes, err)
		}
	}
}

// Whoever raises the budget to the number in the refusal is not refused again.
func TestTheRefusalOfABudgetNamesOneThatIsEnough(t *testing.T) {
	for _, c := range configs() {
		c.Bytes = 8192
		var need uint64
		_, err := PlanRequest(c)
		if _, scan := fmt.Sscanf(lastWords(err, 4), "least %d are needed", &need); scan != nil {
			t.Fatalf("%+v: no number in %v", c, err)
		}
		c.Bytes = need
		if _, err := PlanRequest(c); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		_, err = PlanResponse(c.SlotSize, c.SlotLimit, c.LinkLanes, 1024)
		if _, scan := fmt.Sscanf(lastWords(err, 3), "%d are needed", &need); scan != nil {
			t.Fatalf("%+v: no number in %v", c, err)
		}
		if _, err := PlanResponse(c.SlotSize, c.SlotLimit, c.LinkLanes, need); err != nil {
			t.Fatalf("%d lanes: %v", c.LinkLanes, err)
		}
	}
}

func TestPowersOfTwoAreRoundedUpTo(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 1, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 1 << 20: 1 << 20, 1<<20 + 1: 1 << 21} {
		if got := nextPow2(n); got != want {
			t.Errorf("nextPow2(%d) is %d, want %d", n, got, want)
		}
	}
}
