package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

const pageToken = "a-token-for-the-page"

// openPage starts a server with workers and an admin listener on TCP, and returns the address
// of the page.
func openPage(t *testing.T, workers string) (s *adminSite, page string) {
	t.Helper()
	s = openSupervisedAt(t, workers, "--admin", "127.0.0.1:0", "--admin-token", pageToken)
	return s, "http://" + s.env["UPLOAD_RESPONSE_ADMIN"] + "/"
}

func TestThePageShowsARunningUploadAndItsBytesRising(t *testing.T) {
	t.Parallel()
	s, page := openPage(t, "1")
	b := startBrowser(t, 1280, 900)
	body, feed := io.Pipe()
	defer feed.Close()
	go func() {
		if response, err := http.Post(s.url+"/a-long-upload", "text/plain", body); err == nil {
			_ = response.Body.Close()
		}
	}()
	send := func(n int) {
		if _, err := feed.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	send(100 << 10)
	b.open(page + "#token=" + pageToken)
	row := func() string { return b.text("#streams tbody tr") }
	eventually(t, "the upload with 100 KiB", func() bool {
		return strings.Contains(row(), "POST /a-long-upload") && strings.Contains(row(), "100 KiB")
	})
	if got := row(); !strings.Contains(got, "default/0") || !strings.Contains(got, "127.0.0.1 · HTTP/1.1") {
		t.Errorf("the row is %q", got)
	}
	send(100 << 10)
	eventually(t, "200 KiB", func() bool { return strings.Contains(row(), "200 KiB") })
	send(3 << 20)
	eventually(t, "the rest, and that the client is waited for", func() bool {
		return strings.Contains(row(), "3.2 MiB") && strings.Contains(row(), "the client")
	})
	if got := b.text("#tile-running"); got != "1" {
		t.Errorf("running: %q", got)
	}
	eventually(t, "the bytes of all requests, and how many come by the second", func() bool {
		in := b.text("#tile-in")
		return b.text("#tile-received") == "3.2 MiB in all" && in != "–" && in != "0 B"
	})
	var plots int
	b.eval("return document.querySelectorAll('.plots canvas').length", &plots)
	if plots != 3 {
		t.Errorf("%d plots", plots)
	}
	var hash string
	b.eval("return location.hash + location.search", &hash)
	if hash != "" {
		t.Errorf("the address still has %q", hash)
	}
	if got := b.text("#tile-errors"); got != "0" {
		t.Errorf("errors before there is one: %q", got)
	}
	b.click("#streams .cancel")
	b.click("#confirm-yes")
	eventually(t, "the error", func() bool {
		return b.text("#tile-errors") == "1" && b.text("#tile-failed") == "1 since the start"
	})
	eventually(t, "the request to be gone", func() bool { return row() == "" && b.text("#streams-none") != "" })
	if list := b.complaints(); len(list) > 0 {
		t.Errorf("the browser complains: %q", list)
	}
}

func TestThePageRestartsAWorkerByAClickThatIsConfirmed(t *testing.T) {
	t.Parallel()
	s, page := openPage(t, "2")
	before := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 })
	b := startBrowser(t, 1280, 900)
	b.open(page)
	eventually(t, "a question for the token", func() bool { return b.text("#token-dialog[open] h2") == "Token" })
	b.write("#token", "a-wrong-token-of-mine")
	b.click("#token-dialog button")
	eventually(t, "that it is wrong", func() bool { return strings.Contains(b.text("#token-wrong"), "not the token") })
	b.write("#token", pageToken)
	b.click("#token-dialog button")
	name := fmt.Sprintf("process %d", before[1].PID)
	eventually(t, "the workers", func() bool { return strings.Contains(b.text("#workers tbody"), name) })
	b.click(`#workers [aria-label="Restart default/1"]`)
	if got := b.text("#confirm[open] h2"); got != "Restart default/1?" {
		t.Errorf("the question is %q", got)
	}
	b.click(`#confirm [value="no"]`)
	b.click(`#workers [aria-label="Restart default/1"]`)
	b.click("#confirm-yes")
	after := s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 2 && list[1].PID != before[1].PID })
	if after[0].PID != before[0].PID {
		t.Errorf("the other worker was restarted, too: %+v", after)
	}
	eventually(t, "the new process", func() bool {
		return strings.Contains(b.text("#workers tbody"), fmt.Sprintf("process %d", after[1].PID))
	})
	b.click(`#apps [aria-label="One worker more for default"]`)
	b.click("#confirm-yes")
	s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 3 })
	eventually(t, "three workers", func() bool { return b.text("#apps output") == "3" })
	eventually(t, "what happened", func() bool { return strings.Contains(b.text("#events"), "default/2") })
}

func TestThePageFitsAPhone(t *testing.T) {
	t.Parallel()
	s, page := openPage(t, "1")
	target := "/" + strings.Repeat("a-very-long-name", 30) + "?" + strings.Repeat("q=1&", 50)
	s.upload(t, target, 1000)
	b := startBrowser(t, 400, 800)
	b.open(page + "#token=" + pageToken)
	eventually(t, "the upload", func() bool { return strings.Contains(b.text("#streams"), "a-very-long-name") })
	var width int
	b.eval("return document.documentElement.scrollWidth", &width)
	if width > 400 {
		t.Errorf("the page is %d wide", width)
	}
	var wide []string
	b.eval(`return [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > 400 &&
		!e.closest(".uplot") && !e.closest("[hidden]")).map((e) => e.outerHTML.slice(0, 80))`, &wide)
	if len(wide) > 0 {
		t.Errorf("too wide are %q", wide)
	}
	b.click("#theme")
	b.click("#theme")
	var colour string
	b.eval("return getComputedStyle(document.body).backgroundColor", &colour)
	if b.text("#theme") != "Dark" || colour != "rgb(15, 20, 24)" {
		t.Errorf("the page is %s, and its background %s", b.text("#theme"), colour)
	}
}

func TestThePageComesBackAfterANewStartAndAnUpgrade(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := free.Addr().String()
	check(t, free.Close())
	open := func() *adminSite {
		return openSupervisedAt(t, "1", "--admin", address, "--admin-token", pageToken)
	}
	first := open()
	b := startBrowser(t, 1280, 900)
	b.open("http://" + address + "/#token=" + pageToken)
	shows := func(s *adminSite) (worker int) {
		worker = s.awaitWorkers(t, func(list []admin.Worker) bool { return len(list) == 1 })[0].PID
		name := fmt.Sprintf("process %d", worker)
		eventually(t, "the worker of the server", func() bool {
			return b.text("#live") == "live" && strings.Contains(b.text("#workers tbody"), name) &&
				strings.Contains(b.text("#events"), name) && b.text("#tile-rate") != "–"
		})
		return worker
	}
	shows(first)
	first.signal(unix.SIGTERM)
	first.wait()
	eventually(t, "that nobody answers", func() bool { return strings.Contains(b.text("#live"), "no answer") })

	second := open()
	before := shows(second)
	server := decoded[admin.Upgraded](t, second.ask(t, "upgrade", "--json")).PID
	t.Cleanup(func() { _ = unix.Kill(server, unix.SIGKILL) })
	second.wait()
	if after := shows(second); after == before {
		t.Errorf("process %d still serves", before)
	}
	second.ask(t, "stop")
}

// Every element that somebody can use has a name, and nothing comes from another place.
func TestThePageIsAccessibleAndLoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	_, page := openPage(t, "1")
	b := startBrowser(t, 1280, 900)
	b.open(page + "#token=" + pageToken)
	eventually(t, "the workers", func() bool { return strings.Contains(b.text("#workers"), "default/0") })
	var nameless []string
	b.eval(`return [...document.querySelectorAll("button, select, input, meter, output, [role=img]")]
		.filter((e) => !e.getAttribute("aria-label") && !e.innerText && !e.textContent && !e.closest("label"))
		.map((e) => e.outerHTML)`, &nameless)
	if len(nameless) > 0 {
		t.Errorf("without a name are %q", nameless)
	}
	var loaded []string
	b.eval("return performance.getEntriesByType('resource').map((e) => e.name)", &loaded)
	for _, url := range loaded {
		if !strings.HasPrefix(url, page) {
			t.Errorf("it loads %s", url)
		}
	}
	response, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	policy := response.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("its policy is %q", policy)
	}
	html, _ := io.ReadAll(response.Body)
	for _, forbidden := range []string{"style=", "<style", "onclick", "http://", "https://"} {
		if bytes.Contains(html, []byte(forbidden)) {
			t.Errorf("it has %s", forbidden)
		}
	}
}
