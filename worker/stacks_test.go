package worker

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
)

func TestServeSaysOnWhichSignalItPrintsStacks(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(context.Context, string)
		want uint32
	}{
		"Serve": {serveOnce(), 40}, "without": {serveOnce(WithoutStacks()), 0}, "Attach": {attachOnce, 0},
	} {
		if got := helloOf(t, c.do).Stacks; got != c.want {
			t.Errorf("%s: the hello says %d, not %d", name, got, c.want)
		}
	}
}

func TestAGoroutineKnowsItsNumberInStacks(t *testing.T) {
	number, release := make(chan uint64), make(chan struct{})
	defer close(release)
	go func() {
		number <- goroutineNumber()
		<-release
	}()
	if head := fmt.Sprintf("\ngoroutine %d [", <-number); !bytes.Contains(allStacks(), []byte(head)) {
		t.Errorf("no stack begins with %q", head)
	}
}

// stackOf returns a stack as the runtime prints it, some lines deep.
func stackOf(goroutine, creator, deep int) string {
	return fmt.Sprintf("goroutine %d [select, 2 minutes]:\n%screated by main.f in goroutine %d\n\t/f.go:1 +0x1",
		goroutine, strings.Repeat("main.deep(0x1)\n\t/deep.go:1 +0x1\n", deep), creator)
}

func TestStacksOfRequestsComeFirstAndSayWhose(t *testing.T) {
	trace := strings.Join([]string{stackOf(1, 0, 2), stackOf(20, 1, 2), stackOf(21, 20, 2), stackOf(200, 1, 2)}, "\n\n")
	serving := map[uint64]*proto.Request{
		20: {Method: "GET", Path: "/a?b"}, 200: {Method: "POST", Path: "/c"}, 21000: {Method: "GET", Path: "/gone"},
	}
	printed := string(formatStacks([]byte(trace+"\n"), serving))
	at := -1
	for _, want := range []string{
		" (requests: 2, goroutines: 4)\n", "\nGET /a?b\ngoroutine 20 [", "\nPOST /c\ngoroutine 200 [",
		"\nstarted by the handler of GET /a?b\ngoroutine 21 [", "\n\ngoroutine 1 [",
	} {
		next := strings.Index(printed, want)
		if next <= at {
			t.Fatalf("%q is missing, or too early:\n%s", want, printed)
		}
		at = next
	}
}

func TestStacksAreShort(t *testing.T) {
	stacks := make([]string, 1000)
	for i := range stacks {
		stacks[i] = stackOf(i+1, 0, 30)
	}
	stacks[500] = stackOf(501, 0, 10000) // of a recursion without an end
	serving := map[uint64]*proto.Request{501: {Method: "GET", Path: "/deep"}, 1000: {Method: "GET", Path: "/last"}}
	printed := string(formatStacks([]byte(strings.Join(stacks, "\n\n")), serving))
	if len(printed) > maxStacks+100 {
		t.Errorf("%d bytes", len(printed))
	}
	for _, want := range []string{"GET /deep\n", "GET /last\n", " more goroutines\n"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
