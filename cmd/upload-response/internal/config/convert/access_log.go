package convert

import (
	"io"
	"regexp"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
	"github.com/wavey-ai/upload-response/server/accesslog"
)

// variables are those of another server's access log.
type variables struct {
	pattern *regexp.Regexp    // one variable, with its name as a group; or two groups, of which one matches
	fields  map[string]string // what they are in a template here
}

// dollars are the variables of nginx and Unit.
var dollars = variables{regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`), map[string]string{
	"remote_addr": "{client}", "remote_user": "-", "time_local": "{time_clf}", "time_iso8601": "{time}",
	"request": "{request}", "request_line": "{request}", "request_method": "{method}", "method": "{method}",
	"uri": "{path}", "request_uri": "{target}", "server_protocol": "{protocol}", "host": "{host}",
	"http_host": "{host}", "header_host": "{host}", "http_referer": "{referer}", "header_referer": "{referer}",
	"http_user_agent": "{agent}", "header_user_agent": "{agent}", "status": "{status}",
	"body_bytes_sent": "{sent}", "request_time": "{duration_s}", "request_id": "{id}",
}}

// atoms are the variables of gunicorn.
var atoms = variables{regexp.MustCompile(`%\(([^)]*)\)()s`), map[string]string{
	"h": "{client}", "l": "-", "u": "-", "t": "[{time_clf}]", "r": "{request}", "m": "{method}", "U": "{path}",
	"H": "{protocol}", "s": "{status}", "b": "{sent}", "B": "{sent}", "f": "{referer}", "a": "{agent}",
	"L": "{duration_s}",
}}

// template returns a format as a template, and false if it has a variable that there is not.
func (v *variables) template(format string) (template string, ok bool) {
	ok = true
	format = strings.NewReplacer("{", "{{", "}", "}}").Replace(v.pattern.ReplaceAllString(format, "\x00$1$2\x00"))
	for i, part := range strings.Split(format, "\x00") {
		if i%2 == 1 {
			field, known := v.fields[part]
			part, ok = field, ok && known
		}
		template += part
	}
	if _, err := accesslog.NewHandler(io.Discard, template); err != nil {
		return "", false
	}
	switch template {
	case accesslog.Combined:
		template = "combined"
	case accesslog.Common:
		template = "common"
	}
	return template, ok
}

// accessLog turns the access log on. An empty file is standard output.
func (r *Result) accessLog(file, format string) {
	switch file {
	case "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		file = ""
	}
	r.File.Log.Access.Enabled, r.File.Log.Access.File = true, config.Path(file)
	r.File.Log.Access.Format = format
}

// accessLogOf converts access_log. There is one access log here: of several, the first counts.
func (n *nginxFile) accessLogOf(args []string) bool {
	a, file := &n.File.Log.Access, args[0]
	if file == "off" {
		return true
	}
	format := "combined"
	if len(args) > 1 && !strings.Contains(args[1], "=") && args[1] != format {
		var ok bool
		if format, ok = dollars.template(n.logFormats[args[1]]); !ok {
			return false
		}
	}
	if strings.HasPrefix(file, "syslog:") || strings.Contains(file, "$") {
		return false
	}
	if a.Enabled {
		return a.File == config.Path(file) && a.Format == format
	}
	n.accessLog(file, format)
	return true
}

// accessLogOf converts the access log: a path, or an object with a path and a format.
func (u *unit) accessLogOf(value any) {
	if path, ok := value.(string); ok {
		u.accessLog(path, "combined")
	}
	options, ok := value.(map[string]any)
	if !ok {
		return
	}
	log, format := object{"access_log", options}, "combined"
	path := log.text("path")
	if text, ok := options["format"].(string); ok {
		if template, ok := dollars.template(text); ok {
			format = template
			log.take("format")
		}
	}
	if path != "" {
		u.accessLog(path, format)
	}
	log.leaveRest(u.Result)
}
