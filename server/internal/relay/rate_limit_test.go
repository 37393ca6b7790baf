package relay

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// tooFast makes requests at once and returns how many are too many.
func tooFast(t *rateTable, n int, client string, header http.Header) (refused int) {
	for range n {
		i := &clientInfo{address: client}
		if addr, err := netip.ParseAddr(client); err == nil {
			i.holder = conn.PrefixOf(addr)
		}
		if !t.allow(&http.Request{Header: header}, i) {
			refused++
		}
	}
	return refused
}

func newRates(header string) *rateTable {
	t := newRateTable(&RateLimit{Rate: 1, Burst: 5, Header: header})
	t.limit = 1e-6 // time does not matter
	return t
}

func TestEachClientHasABurstOfItsOwn(t *testing.T) {
	rates := newRates("x-key")
	for _, c := range []struct {
		client, key string
		refused     int
	}{
		{"1.2.3.4", "", 3}, {"1.2.3.4", "", 8}, {"1.2.3.5", "", 3}, {"2001:db8::1", "", 3}, {"2001:db8::2", "", 8},
		{"2001:db8:0:1::1", "", 3}, {"1.2.3.4", "a", 3}, {"9.9.9.9", "a", 8}, {"9.9.9.9", "b", 3}, {"", "", 0},
	} {
		header := http.Header{}
		if c.key != "" {
			header.Set("X-Key", c.key)
		}
		if got := tooFast(rates, 8, c.client, header); got != c.refused {
			t.Errorf("%+v: %d refused", c, got)
		}
	}
}

func TestWithoutARateNobodyIsTooFast(t *testing.T) {
	rates := newRateTable(&RateLimit{})
	if got := tooFast(rates, 1000, "1.2.3.4", nil); got != 0 {
		t.Errorf("%d refused", got)
	}
}

func TestAFullTableBoundsItsMemoryAndNoNewClientForIt(t *testing.T) {
	rates := newRates("")
	if got := tooFast(rates, 8, "1.2.3.4", nil); got != 3 {
		t.Fatalf("%d refused", got)
	}
	for i := range mostRates + 1000 {
		tooFast(rates, 1, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), nil)
	}
	if n := len(rates.clients); n != mostRates {
		t.Fatalf("%d clients", n)
	}
	if got := tooFast(rates, 8, "1.2.3.5", nil); got != 3 {
		t.Errorf("%d of the requests of one more client are refused", got)
	}
	if got := tooFast(rates, 8, "1.2.3.4", nil); got != 8 {
		t.Errorf("a client that had used up its burst was forgotten: %d of its requests are refused", got)
	}
}

func TestLongNamesOfClientsTakeNoMoreMemoryThanShortOnes(t *testing.T) {
	rates := newRates("X-Key")
	long := strings.Repeat("k", 30000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1000 {
		tooFast(rates, 1, "1.2.3.4", http.Header{"X-Key": {fmt.Sprint(i) + long}})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 3<<20 {
		t.Errorf("1,000 names take %d KiB", grown>>10)
	}
	if len(rates.clients) != 1000 {
		t.Errorf("%d clients", len(rates.clients))
	}
}
