package http_test

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// largeFile is longer than what any writer or socket takes at once.
const largeFile = 16 << 20

// folderOf makes a folder of files by their paths.
func folderOf(t testing.TB, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		harness.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		harness.Check(t, os.WriteFile(file, []byte(content), 0o600))
	}
	return root
}

// serveFiles is a configuration with files below /static, and an app.
func serveFiles(files server.Files) func(*server.Config) {
	return func(c *server.Config) {
		c.Routes = []server.Route{
			{Match: server.Match{Paths: []string{"/static/*"}}, StripPrefix: "/static", Files: &files},
			{Prefix: "/", Pool: "default"},
		}
	}
}

func TestFilesComeThroughEachDoor(t *testing.T) {
	t.Parallel()
	large := e2etest.Text(largeFile)
	root := folderOf(t, map[string]string{
		"index.html": "<p>home", "a.txt": "text", "dir/index.html": "<p>dir", "empty.css": "", "large.bin": large,
		".env": "secret",
	})
	harness.Check(t, os.Symlink("/etc/passwd", filepath.Join(root, "passwd")))
	files := server.Files{Root: root, Expires: 24 * time.Hour}
	e2etest.ThroughEachDoor(t, serveFiles(files), func(v *e2etest.Visitor) {
		v.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for path, want := range map[string]struct{ content, kind string }{
			"/static/": {"<p>home", "text/html; charset=utf-8"}, "/static/a.txt?v=1": {"text",
				"text/plain; charset=utf-8"},
			"/static/dir/": {"<p>dir", "text/html; charset=utf-8"}, "/static/empty.css": {"",
				"text/css; charset=utf-8"},
			"/static/large.bin": {large, "application/octet-stream"},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				response := v.Do(v.Request(method, path, nil))
				body := e2etest.WantStatus(v, response, http.StatusOK)
				if method == "GET" && body != want.content || method == "HEAD" && body != "" {
					v.Errorf("%s %s: %d bytes, %.50q", method, path, len(body), body)
				}
				h := response.Header
				if response.ContentLength != int64(len(want.content)) || h.Get("Content-Type") != want.kind ||
					h.Get("Cache-Control") != "max-age=86400" || h.Get("Accept-Ranges") != "bytes" ||
					h.Get("Etag") == "" || h.Get("Last-Modified") == "" || h.Get("X-Request-Id") == "" {
					v.Errorf("%s %s: %d bytes, %v", method, path, response.ContentLength, h)
				}
			}
		}
		for path, status := range map[string]int{
			"/static/none": 404, "/static/.env": 404, "/static/passwd": 404, "/static/a.txt/": 404,
			"/static/a%2Etxt":          200,
			"/static/dir%2Findex.html": 404, "/static/%2e%2e/%2e%2e/etc/passwd": 400, "/static/a.txt%00": 400,
			"/static/..%2f..%2fetc/passwd": 400, "/static/a.txt%2f..%2fa.txt": 404, `/static/..%5c..%5cetc/passwd`: 404,
		} {
			if status == http.StatusOK && v.Major == 3 {
				continue // quic-go's client escapes the path in its own way
			}
			r := v.Request("GET", "/", nil)
			r.URL.Opaque = path
			if v.Major == 3 {
				r = v.Request("GET", path, nil)
			}
			e2etest.WantStatus(v, v.Do(r), status)
		}
		response := v.Get("/static/dir?a=b")
		if e2etest.WantStatus(v, response, http.StatusMovedPermanently); response.Header.Get("Location") !=
			"/static/dir/?a=b" {
			v.Errorf("a folder leads to %q", response.Header.Get("Location"))
		}
		response = v.Post("/static/a.txt", strings.NewReader(e2etest.Text(100_000)))
		if e2etest.WantStatus(v, response, http.StatusMethodNotAllowed); response.Header.Get("Allow") != "GET, HEAD" {
			v.Errorf("POST: %v", response.Header)
		}
		e2etest.WantStatus(v, v.Get("/still-open"), http.StatusOK)
	})
}

func TestRangesOfAFileComeThroughEachDoor(t *testing.T) {
	t.Parallel()
	content := e2etest.Text(1 << 20)
	root := folderOf(t, map[string]string{"a.bin": content})
	e2etest.ThroughEachDoor(t, serveFiles(server.Files{Root: root}), func(v *e2etest.Visitor) {
		whole := v.Get("/static/a.bin")
		e2etest.WantStatus(v, whole, http.StatusOK)
		tag, modified := whole.Header.Get("Etag"), whole.Header.Get("Last-Modified")
		for _, c := range []struct {
			requested, condition string
			status, from, to     int
		}{
			{"bytes=0-0", "", 206, 0, 1},
			{"bytes=10-99999", "", 206, 10, 100_000},
			{"bytes=1000000-", "", 206, 1_000_000, 1 << 20},
			{"bytes=-5", "", 206, 1<<20 - 5, 1 << 20},
			{"bytes=-9999999", "", 206, 0, 1 << 20},
			{"bytes=1048575-2000000", "", 206, 1<<20 - 1, 1 << 20},
			{"bytes=5-9", tag, 206, 5, 10},
			{"bytes=5-9", modified, 206, 5, 10},
			{"bytes=5-9", `"other"`, 200, 0, 1 << 20},
			{"bytes=5-9", "W/" + tag, 200, 0, 1 << 20},
			{"bytes=1048576-", "", 416, 0, 0},
			{"bytes=9-5", "", 416, 0, 0},
			{"lines=1-2", "", 416, 0, 0},
		} {
			r := v.Request("GET", "/static/a.bin", nil)
			if r.Header.Set("Range", c.requested); c.condition != "" {
				r.Header.Set("If-Range", c.condition)
			}
			response := v.Do(r)
			body := e2etest.WantStatus(v, response, c.status)
			if c.status != 416 && (body != content[c.from:c.to] || response.ContentLength != int64(c.to-c.from)) {
				v.Errorf("%s if %q: %d bytes, %v", c.requested, c.condition, len(body), response.Header)
			}
			if c.requested == "bytes=1048576-" && (response.Header.Get("Content-Range") != "bytes */1048576" ||
				body != "416 Requested Range Not Satisfiable: no such range\n" || response.Header.Get("Etag") != "") {
				v.Errorf("%s: %q, %v", c.requested, body, response.Header)
			}
		}
		r := v.Request("GET", "/static/a.bin", nil)
		r.Header.Set("Range", "bytes=0-9,100000-300000,-7")
		response := v.Do(r)
		body := e2etest.WantStatus(v, response, http.StatusPartialContent)
		_, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
		harness.Check(v, err)
		parts := multipart.NewReader(strings.NewReader(body), parameters["boundary"])
		for _, want := range []string{content[:10], content[100_000:300_001], content[1<<20-7:]} {
			part, err := parts.NextPart()
			harness.Check(v, err)
			if got := harness.ReadAll(v, part); string(got) != want {
				v.Errorf("a part of %d bytes, want %d", len(got), len(want))
			}
		}
	})
}

func TestAFileIsNotSentAgainToWhoHasIt(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"a.txt": "text"})
	e2etest.ThroughEachDoor(t, serveFiles(server.Files{Root: root, Expires: time.Hour}), func(v *e2etest.Visitor) {
		whole := v.Get("/static/a.txt")
		e2etest.WantStatus(v, whole, http.StatusOK)
		tag, modified := whole.Header.Get("Etag"), whole.Header.Get("Last-Modified")
		for _, c := range []struct {
			name, value string
			status      int
		}{
			{"If-None-Match", tag, 304}, {"If-None-Match", `"x", W/` + tag, 304}, {"If-None-Match", "*", 304},
			{"If-None-Match", `"x"`, 200}, {"If-Modified-Since", modified, 304},
			{"If-Modified-Since", "Mon, 02 Jan 2006 15:04:05 GMT", 200},
			{"If-Match", tag, 200}, {"If-Match", `"x"`, 412}, {"If-Unmodified-Since",
				"Mon, 02 Jan 2006 15:04:05 GMT", 412},
		} {
			r := v.Request("GET", "/static/a.txt", nil)
			r.Header.Set(c.name, c.value)
			response := v.Do(r)
			body := e2etest.WantStatus(v, response, c.status)
			if c.status == 304 && (body != "" || response.Header.Get("Etag") != tag ||
				response.Header.Get("Cache-Control") != "max-age=3600" || response.Header.Get("Content-Type") != "") {
				v.Errorf("%s %s: %q, %v", c.name, c.value, body, response.Header)
			}
			if c.status == 412 && body != "412 Precondition Failed: precondition failed\n" {
				v.Errorf("%s %s: %q", c.name, c.value, body)
			}
		}
		e2etest.WantStatus(v, v.Get("/still-open"), http.StatusOK)
	})
}

func TestAPrecompressedFileGoesToWhoPrefersIt(t *testing.T) {
	t.Parallel()
	plain := e2etest.Text(5000)
	root := folderOf(t, map[string]string{"a.js": plain, "a.js.gz": "gz bytes", "a.js.br": "br bytes", "b.js": plain})
	files := server.Files{Root: root, Precompressed: []string{"br", "gz"}}
	change := func(c *server.Config) {
		serveFiles(files)(c)
		c.Compress = true
	}
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		for _, c := range []struct{ path, accept, coding, want string }{
			{"/static/a.js", "gzip, br", "br", "br bytes"}, {"/static/a.js", "gzip", "gzip", "gz bytes"},
			{"/static/a.js", "identity", "", plain}, {"/static/a.js", "gzip;q=0, br;q=0", "", plain},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				response := v.Do(v.Accept(c.accept, method, c.path, nil))
				body := e2etest.WantStatus(v, response, http.StatusOK)
				h := response.Header
				if method == "GET" && body != c.want || h.Get("Content-Encoding") != c.coding ||
					response.ContentLength != int64(len(c.want)) || h.Get("Vary") != "Accept-Encoding" ||
					h.Get("Content-Type") != "text/javascript; charset=utf-8" ||
					strings.HasPrefix(h.Get("Etag"), "W/") {
					v.Errorf("%s %s for %q: %.50q, %d bytes, %v", method, c.path, c.accept, body,
						response.ContentLength, h)
				}
			}
		}
		r := v.Accept("br", "GET", "/static/a.js", nil)
		r.Header.Set("Range", "bytes=3-")
		if body := e2etest.WantStatus(v, v.Do(r), http.StatusPartialContent); body != "bytes" {
			v.Errorf("a range of what is compressed: %q", body)
		}
		response := v.Do(v.Accept("gzip", "GET", "/static/b.js", nil))
		body := e2etest.WantStatus(v, response, http.StatusOK)
		if response.Header.Get("Content-Encoding") != "gzip" || len(body) >= len(plain) ||
			!strings.HasPrefix(response.Header.Get("Etag"), "W/") || response.ContentLength != int64(len(body)) {
			v.Errorf("a file without a compressed one: %d bytes, %v", len(body), response.Header)
		}
	})
}

func TestAnAppGetsWhatNoFileAnswers(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"a.txt": "text", "dir/x": "x"})
	change := func(c *server.Config) {
		c.Routes = []server.Route{{Prefix: "/", Files: &server.Files{Root: root}, Pool: "default"}}
	}
	e2etest.ThroughEachDoor(t, change, func(v *e2etest.Visitor) {
		if got := e2etest.WantStatus(v, v.Get("/a.txt"), http.StatusOK); got != "text" {
			v.Errorf("the file is %q", got)
		}
		for path, want := range map[string]string{"/b.txt": "GET /b.txt", "/dir": "GET /dir", "/": "GET /"} {
			if got := e2etest.WantStatus(v, v.Get(path), http.StatusOK); got != want {
				v.Errorf("%s is %q", path, got)
			}
		}
		if got := e2etest.WantStatus(v, v.Post("/a.txt", strings.NewReader("x")), http.StatusOK); got != "POST /a.txt" {
			v.Errorf("POST is %q", got)
		}
	})
}

// A client that reads nothing for the time that clients have loses its download, and its file
// is closed; one that reads slowly keeps it.
func TestAFileIsSentToSlowClientsAndNotToStuckOnes(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"large.bin": e2etest.Text(largeFile)})
	s := harness.Start(t, func(c *server.Config) {
		serveFiles(server.Files{Root: root})(c)
		c.ClientTimeout = 500 * time.Millisecond
	})
	before := openFiles(t, root)
	stuck := rawclient.Dial(t, s.Addr)
	stuck.Begin("GET", "/static/large.bin")
	harness.Eventually(t, "the file to be open", func() bool { return openFiles(t, root) > before })
	harness.Eventually(t, "the stuck client to be given up", func() bool { return openFiles(t, root) == before })
	if st := s.Router.Stats(); st.Aborted != 1 || st.Exchanges != 1 {
		t.Errorf("%+v", st)
	}
	response := e2etest.Get(t, s, "/static/large.bin")
	for read := 0; read < largeFile; {
		n, err := io.CopyN(io.Discard, response.Body, largeFile/8)
		if read += int(n); err != nil {
			t.Fatalf("a slow client got %d bytes: %v", read, err)
		}
		time.Sleep(100 * time.Millisecond) // is what makes it slow: longer than the limit, all in all
	}
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%d bytes too many", len(rest))
	}
}

func TestAClientThatTakesNothingOfAFileIsNotTakenForOneThatLeft(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"large.bin": ""})
	harness.Check(t, os.Truncate(filepath.Join(root, "large.bin"), 256<<20))
	config := func(c *server.Config) {
		serveFiles(server.Files{Root: root})(c)
		c.ClientTimeout = 300 * time.Millisecond
	}
	e2etest.ThroughEachDoor(t, config, func(v *e2etest.Visitor) {
		before := v.Server.Router.Stats()
		response := v.Do(v.Accept("identity", "GET", "/static/large.bin", nil))
		harness.Eventually(v, "the client to be given up", func() bool {
			return v.Server.Router.Stats().Aborted > before.Aborted
		})
		if st := v.Server.Router.Stats(); st.ClientGone != before.ClientGone {
			v.Errorf("%+v", st)
		}
		v.WantBroken(response)
	})
}

// openFiles returns how many files below a folder this process has open.
func openFiles(t testing.TB, root string) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	harness.Check(t, err)
	for _, entry := range list {
		if to, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(to, root+"/") {
			n++
		}
	}
	return n
}

func TestAFileThatGetsShorterNeverLooksComplete(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"large.bin": ""})
	file := filepath.Join(root, "large.bin")
	e2etest.ThroughEachDoor(t, serveFiles(server.Files{Root: root}), func(v *e2etest.Visitor) {
		harness.Check(v, os.Truncate(file, 256<<20))
		response := v.Get("/static/large.bin")
		_, err := io.CopyN(io.Discard, response.Body, 1000)
		harness.Check(v, err)
		harness.Check(v, os.Truncate(file, 1<<10))
		v.WantBroken(response)
	})
}

func TestAShutdownEndsDownloadsAtItsDeadline(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"large.bin": e2etest.Text(largeFile)})
	for _, d := range e2etest.Doors {
		t.Run(d.Label, func(t *testing.T) {
			s, worker := e2etest.StartBoth(t, serveFiles(server.Files{Root: root}))
			v := e2etest.NewVisitor(t, d, s, worker, s.Secure(t))
			response := v.Get("/static/large.bin")
			harness.Eventually(t, "the file to be open", func() bool { return openFiles(t, root) > 0 })
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if err := s.Router.Drain(ctx); err == nil {
				t.Error("the download had ended")
			}
			v.WantBroken(response)
		})
	}
}

func TestThereAreNoMoreOpenFilesThanTheProcessCanSpare(t *testing.T) {
	var before syscall.Rlimit
	harness.Check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	root := folderOf(t, map[string]string{"large.bin": e2etest.Text(largeFile)})
	few := before
	few.Cur = 4 * uint64(descriptors(t)/4+100)
	harness.Check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	s := harness.Start(t, serveFiles(server.Files{Root: root}))
	harness.Check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before))
	var held []*rawclient.HTTP1
	for range int(few.Cur / 4) {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/static/large.bin")
		held = append(held, c)
	}
	harness.Eventually(t, "all that may be to be open", func() bool { return openFiles(t, root) >= int(few.Cur/8) })
	response := e2etest.Get(t, s, "/static/large.bin")
	e2etest.WantRetry(t, response)
	for _, c := range held {
		_ = c.Close()
	}
	harness.Eventually(t, "all files to be closed", func() bool { return openFiles(t, root) == 0 })
}

func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	harness.Check(t, err)
	return len(list)
}

func TestTheAccessLogHasFiles(t *testing.T) {
	t.Parallel()
	root := folderOf(t, map[string]string{"a.txt": "text"})
	var log harness.Log
	s := harness.Start(t, func(c *server.Config) {
		serveFiles(server.Files{Root: root})(c)
		c.AccessLog = slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, path := range []string{"a.txt", "none"} {
		harness.ReadAll(t, e2etest.Get(t, s, "/static/"+path).Body)
	}
	harness.Eventually(t, "both lines", func() bool { return strings.Count(log.String(), "\n") == 2 })
	for _, want := range []string{"path=/static/a.txt status=200 received=0 sent=4", "path=/static/none status=404"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log.String())
		}
	}
	if st := s.Router.Stats(); st.Exchanges != 2 || st.Failed != 1 {
		t.Errorf("%+v", st)
	}
}
