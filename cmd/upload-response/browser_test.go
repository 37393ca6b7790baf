package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// browser is a headless Chromium, which is told what to do by WebDriver.
type browser struct {
	t    *testing.T
	base string // of the session
}

// startBrowser starts one with a window of a size, and skips the test if there is none.
func startBrowser(t *testing.T, width, height int) *browser {
	t.Helper()
	for _, program := range []string{"chromium", "chromedriver"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s on this machine", program)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	driver := startCommand(t, exec.Command("chromedriver", fmt.Sprintf("--port=%d", port)))
	b := &browser{t: t, base: fmt.Sprintf("http://127.0.0.1:%d", port)}
	driver.foundIn(&driver.out, "(started successfully)")
	var session struct{ SessionID string }
	b.do("POST", "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:loggingPrefs": map[string]string{"browser": "ALL"},
		"goog:chromeOptions": map[string]any{"args": []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync",
			"--user-data-dir=" + t.TempDir(),
		}},
	}}}, &session)
	b.base += "/session/" + session.SessionID
	t.Cleanup(func() { b.do("DELETE", "", nil, nil) })
	b.do("POST", "/goog/cdp/execute", map[string]any{"cmd": "Emulation.setDeviceMetricsOverride",
		"params": map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}}, nil)
	return b
}

// do calls WebDriver.
func (b *browser) do(method, path string, body, answer any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	request, err := http.NewRequest(method, b.base+path, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %s %s, %v", method, path, response.Status, got, err)
	}
	value := struct{ Value any }{answer}
	if err := json.Unmarshal(got, &value); err != nil {
		b.t.Fatalf("%s %s: %s, %v", method, path, got, err)
	}
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.do("POST", "/url", map[string]string{"url": url}, nil)
}

// eval returns what a script returns.
func (b *browser) eval(script string, answer any) {
	b.t.Helper()
	b.do("POST", "/execute/sync", map[string]any{"script": script, "args": []any{}}, answer)
}

// text returns the text of the first element of a selector, or "".
func (b *browser) text(selector string) (text string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("return document.querySelector(%q)?.innerText ?? ''", selector), &text)
	return text
}

// click clicks on the first element of a selector, as a user does: it has to be in sight.
func (b *browser) click(selector string) {
	b.t.Helper()
	var found map[string]string
	b.do("POST", "/element", map[string]string{"using": "css selector", "value": selector}, &found)
	for _, id := range found {
		b.do("POST", "/element/"+id+"/click", map[string]any{}, nil)
	}
}

// write types text into the first element of a selector.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	var found map[string]string
	b.do("POST", "/element", map[string]string{"using": "css selector", "value": selector}, &found)
	for _, id := range found {
		b.do("POST", "/element/"+id+"/value", map[string]string{"text": text}, nil)
	}
}

// complaints returns what the browser says against the page: errors of scripts, and what the
// policy of the page forbids.
func (b *browser) complaints() (list []string) {
	b.t.Helper()
	var entries []struct{ Level, Message string }
	b.do("POST", "/se/log", map[string]string{"type": "browser"}, &entries)
	for _, e := range entries {
		list = append(list, e.Level+" "+e.Message)
	}
	return list
}
