package accesslog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// noon is when all requests of these tests are over.
var noon = time.Date(2026, 2, 3, 12, 0, 1, 5e6, time.FixedZone("", 3600))

// write returns the line that a template makes of attributes.
func write(t *testing.T, template string, attrs ...slog.Attr) string {
	t.Helper()
	var b bytes.Buffer
	h, err := NewHandler(&b, template)
	if err != nil {
		t.Fatal(err)
	}
	r := slog.NewRecord(noon, slog.LevelInfo, "exchange", 0)
	r.AddAttrs(attrs...)
	if err := h.Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheCombinedFormatIsThatOfApacheAndNginx(t *testing.T) {
	got := write(t, Combined, slog.String("method", "GET"), slog.String("target", "/a?b=c"), slog.Int("status", 200),
		slog.String("client", "203.0.113.7"), slog.Int64("sent", 12), slog.String("protocol", "HTTP/2.0"),
		slog.String("referer", "https://a.example/"), slog.String("agent", "curl/8"), slog.String("more", "x"))
	const want = `203.0.113.7 - - [03/Feb/2026:12:00:01 +0100] "GET /a?b=c HTTP/2.0" 200 12 ` +
		`"https://a.example/" "curl/8"` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	got = write(t, Common, slog.String("method", ""), slog.Int("status", 400), slog.String("client", ""),
		slog.Int64("sent", 0), slog.String("protocol", "HTTP/1"))
	if want := `- - - [03/Feb/2026:12:00:01 +0100] "-" 400 0` + "\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestNoValueEndsItsQuotesOrItsLine(t *testing.T) {
	agent := slog.String("agent", "a\"b\\c\r\nGET\x1b[2J\u0085é")
	got := write(t, `"{agent}" {{{path}}}`, agent, slog.String("path", "/"))
	if want := `"a\x22b\x5Cc\x0D\x0AGET\x1B[2J\xC2\x85\xC3\xA9" {/}` + "\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestEveryFieldIsWritten(t *testing.T) {
	var template []string
	var attrs []slog.Attr
	for _, name := range Fields() {
		template = append(template, name+"={"+name+"}")
	}
	for f, name := range names[:request] {
		switch field(f) {
		case duration, queue, firstByte:
			attrs = append(attrs, slog.Float64(name, 0.0015))
		case status, received, sent:
			attrs = append(attrs, slog.Int64(name, 7))
		case stream:
			attrs = append(attrs, slog.Uint64(name, 1<<63))
		case websocket:
			attrs = append(attrs, slog.Bool(name, true))
		default:
			attrs = append(attrs, slog.String(name, strings.ToUpper(name)))
		}
	}
	got := write(t, strings.Join(template, " "), attrs...)
	const want = "agent=AGENT app=APP client=CLIENT duration_s=0.001500 error=ERROR first_byte_s=0.001500 " +
		"host=HOST id=ID method=METHOD path=PATH protocol=PROTOCOL queue_s=0.001500 reason=REASON received=7 " +
		"referer=REFERER request=METHOD TARGET PROTOCOL route=ROUTE sent=7 status=7 " +
		"stream=9223372036854775808 target=TARGET " +
		"time=2026-02-03T12:00:01.005+01:00 time_clf=03/Feb/2026:12:00:01 +0100 trace=TRACE websocket=true " +
		"worker=WORKER\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got := write(t, "{agent}|{status}|{queue_s}|{websocket}"); got != "-|-|-|-\n" {
		t.Errorf("without attributes: %q", got)
	}
}

func TestATemplateThatIsNoneSaysWhatIsWrong(t *testing.T) {
	for template, want := range map[string]string{
		"":             "names no field",
		"combind":      "names no field",
		"{path":        "no }",
		"path}":        "without a {",
		"{patj}":       "no field {patj}: want one of agent",
		"{path}\n{id}": "one line",
		"{}":           "no field {}",
		"{{path}}":     "names no field",
	} {
		_, err := NewHandler(nil, template)
		if !errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", template, err, want)
		}
	}
}

func TestALineAllocatesNothing(t *testing.T) {
	segments, err := parse(Combined + ` {duration_s} {queue_s}`)
	if err != nil {
		t.Fatal(err)
	}
	l := line{text: make([]byte, 0, 1024)}
	r := slog.NewRecord(noon, slog.LevelInfo, "exchange", 0)
	r.AddAttrs(slog.String("method", "GET"), slog.String("target", "/a?b=c"), slog.Int("status", 200),
		slog.Int64("sent", 12), slog.Float64("duration_s", 0.25), slog.String("agent", "curl"))
	if n := testing.AllocsPerRun(1000, func() { l.write(segments, r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
