package faults_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestTheCSDKRefusesWhatNoClientMaySee(t *testing.T) {
	s, _ := startWithC(t, nil)
	lines := strings.Split(strings.TrimSpace(getC(t, s, "/refusals").Body), "\n")
	if len(lines) != 18 {
		t.Errorf("%d refusals, want 18", len(lines))
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, ": EINVAL") {
			t.Errorf("the SDK says of %s", line)
		}
	}
}

func TestHeadersOfACWorkerThatNobodyCheckedAreNeverSent(t *testing.T) {
	s, p := startWithC(t, nil)
	client := rawclient.Dial(t, s.Addr)
	for _, what := range []string{
		"0", "99", "100", "101", "199", "1000", "65535", "cr", "lf", "nul", "name", "two-lengths",
	} {
		client.Begin("GET", "/c/raw/"+what)
		if r := client.WantReply("GET", 502); strings.Contains(r.Body, "12345") {
			t.Errorf("%s: the body is %q", what, r.Body)
		}
	}
	wantServes(t, s, p)
	if st := s.Router.Stats(); st.Evicted != 0 {
		t.Errorf("%d links evicted for what breaks no rule of the memory", st.Evicted)
	}
}

func TestAResponseOfACWorkerThatIsNotAsLongAsItSaysIsBrokenOff(t *testing.T) {
	s, p := startWithC(t, nil)
	for length, most := range map[int]string{6: "12345", 4: "", 1000: "12345"} {
		client := rawclient.Dial(t, s.Addr)
		client.Begin("GET", fmt.Sprint("/c/length/", length))
		if body := client.WantBrokenReply("GET", 200); body != "" && body != most {
			t.Errorf("length %d: the body is %q", length, body)
		}
		client.WantEnd()
	}
	wantServes(t, s, p)
}

func TestABodyOfACWorkerThatMayNotBeIsReadAndNotSent(t *testing.T) {
	s, p := startWithC(t, nil)
	client := rawclient.Dial(t, s.Addr)
	for _, c := range []struct {
		method, path string
		status       int
	}{{"HEAD", "/status/200", 200}, {"GET", "/status/204", 204}, {"GET", "/status/304", 304},
		{"POST", "/status/204", 204}} {
		client.Begin(c.method, "/c"+c.path, "Content-Length: 0")
		client.WantReply(c.method, c.status)
		client.Begin("GET", "/c/echo") // nothing is in the way of the next response
		wantBy(t, client.WantReply("GET", 200), "GET", p, "")
	}
}

func TestHeadersThatACWorkerChangesWhileTheyAreCheckedAreSentAsCheckedOrNotAtAll(t *testing.T) {
	s, p := startWithC(t, nil)
	client := rawclient.Dial(t, s.Addr)
	const sound = "aaaaaaaabbbbbbbbccccccccdddddddd"
	counts := map[int]int{}
	for range 500 {
		client.Begin("GET", "/c/torn")
		r, err := client.Receive("GET") // to the letter: an injected line is an error
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if counts[r.Status]++; r.Status != 502 &&
			(r.Status != 200 || r.Body != "sound" || !soundOrMixed(r.Header["x-value"], sound)) {
			t.Fatalf("%+v", r)
		}
	}
	t.Logf("responses by status: %v", counts)
	wantServes(t, s, p)
}

// soundOrMixed reports whether a value has the letters of sound, or in the place of
// some of them what may stand in a value.
func soundOrMixed(value, sound string) bool {
	if len(value) != len(sound) {
		return false
	}
	for i := range value {
		if value[i] != sound[i] && !strings.ContainsRune("AB:1CDE234", rune(value[i])) {
			return false
		}
	}
	return true
}

// violationsInC are rules of the memory that a C worker breaks: below its SDK, which
// would keep them.
var violationsInC = []string{"published-jumps", "length", "offset", "buffer", "number", "kind"}

// awaitEvicted waits until so many links have been evicted, and no more.
func awaitEvicted(t testing.TB, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, "the eviction to be counted", func() bool { return s.Router.Stats().Evicted >= n })
	if got := s.Router.Stats().Evicted; got != n {
		t.Fatalf("%d links evicted, want %d", got, n)
	}
}

func TestACWorkerThatBreaksARuleOfTheMemoryIsEvictedAndToldSo(t *testing.T) {
	s, p := startWithC(t, nil)
	for i, what := range violationsInC {
		for j, method := range []string{"POST", "GET"} { // what it made of a GET is no better
			client := rawclient.Dial(t, s.Addr)
			client.Begin(method, "/c/violate/"+what, "Content-Length: 0")
			client.WantReply(method, 502)
			n := 2*i + j + 1
			awaitSaid(t, p, "cancelled: server gone", n)
			awaitSaid(t, p, "attached", n+1)
			wantServes(t, s, p)
			awaitEvicted(t, s, int64(n))
			if retried := s.Router.Stats().Retried; retried != 0 {
				t.Fatalf("%s %s: %d requests served again, want none", method, what, retried)
			}
		}
	}
	if said := strings.Count(p.Output(), "<link: the server closed the link: "); said != 2*len(violationsInC) {
		t.Errorf("the worker was told the reason %d times", said)
	}
}

// Here the rule is broken in no request's slots.
func TestAGETOnAnEvictedLinkIsServedAgainByAnother(t *testing.T) {
	s, evil := startWithC(t, nil, "FAULTY=/violate/taken-jumps", "FAULTY_ONCE=1")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/c/job")
	awaitSaid(t, evil, "violated", 1)
	good := startC(t, s)
	wantServes(t, s, good) // the server looks before it assigns
	wantBy(t, client.WantReply("GET", 200), "GET", good, "")
	awaitEvicted(t, s, 1)
	if retried := s.Router.Stats().Retried; retried != 1 {
		t.Errorf("%d requests served again, want 1", retried)
	}
}

// Of the requests on an evicted link only one is its worker's fault.
func TestTheOtherRequestsOfAnEvictedLinkAreAsThoseOfADeadOne(t *testing.T) {
	s, evil := startWithC(t, nil, "FAULTY=/keep", "FAULTY_ONCE=1")
	again, never, bad := rawclient.Dial(t, s.Addr), rawclient.Dial(t, s.Addr), rawclient.Dial(t, s.Addr)
	again.Begin("GET", "/c/job")
	awaitSaid(t, evil, "keeping", 1)
	never.Begin("POST", "/c/job", "Content-Length: 0")
	awaitSaid(t, evil, "keeping", 2)
	bad.Begin("GET", "/c/violate/kind")
	bad.WantReply("GET", 502)
	never.WantReply("POST", 502)
	good := startC(t, s)
	wantBy(t, again.WantReply("GET", 200), "GET", good, "")
	awaitEvicted(t, s, 1)
}

func TestTheKernelRefusesACWorkerWhatIsNotItsBusiness(t *testing.T) {
	program := cbuild.Program(t, "tests/faulty.c")
	s := harness.Start(t, withC)
	before := s.Router.Stats().Attached
	p := harness.StartCommand(t, io.Discard, probeCommand(program, s.Socket))
	awaitSaid(t, p, "done", 1)
	refused := 0
	for line := range strings.Lines(p.Output()) {
		switch {
		case strings.HasSuffix(line, ": EPERM>\n"), strings.HasSuffix(line, ": EACCES>\n"),
			strings.HasSuffix(line, ": killed>\n"):
			refused++
		case line != "<done>\n":
			t.Errorf("the kernel allows %s", line)
		}
	}
	if refused != 13 || s.Router.Stats().Attached != before+1 {
		t.Errorf("%d attempts refused, want 13", refused)
	}
}
