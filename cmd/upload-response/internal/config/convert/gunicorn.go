package convert

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// Gunicorn converts a gunicorn.conf.py. It is not run: a value that is computed is not
// converted. The application is what the command line of gunicorn names; empty: wsgi_app of the
// file does.
func Gunicorn(text []byte, application string) (*Result, error) {
	g := gunicorn{Result: newResult(), app: app(), values: map[string]any{}}
	g.read(string(text))
	if named, ok := g.values["wsgi_app"].(string); ok && application == "" {
		application = named
	}
	if delete(g.values, "wsgi_app"); application == "" {
		return nil, errors.New("which application? The file has no wsgi_app: give --app MODULE:APP, as gunicorn has it")
	}
	if !strings.Contains(application, ":") {
		application += ":application" // as gunicorn does
	}
	g.app.Python, g.app.Interface = application, "wsgi"
	g.convert()
	name, _, _ := strings.Cut(application, ":")
	name, _, _ = strings.Cut(name, ".")
	g.File.Apps[appName(name)] = g.app
	return g.Result, nil
}

type gunicorn struct {
	*Result
	app    config.App
	values map[string]any
	lines  map[string]int
	texts  map[string]string // as they stand in the file
}

// read notes the values that stand in the file.
func (g *gunicorn) read(text string) {
	g.lines, g.texts = map[string]int{}, map[string]string{}
	for _, s := range statements(text) {
		first, _, _ := strings.Cut(s.text, " ")
		switch {
		case first == "import" || first == "from" || strings.Trim(s.text[:1], `"'`) == "":
		case s.name == "" || s.err != nil:
			delete(g.values, s.name)
			why := ""
			if s.err != nil {
				why = " (" + s.err.Error() + ")"
			}
			g.leave("line %d: %s%s", s.line, s.text, why)
		default:
			g.values[s.name], g.lines[s.name], g.texts[s.name] = s.value, s.line, s.text
		}
	}
}

// convert converts the values one by one, in the order of their lines.
func (g *gunicorn) convert() {
	names := make([]string, 0, len(g.values))
	for name := range g.values {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return g.lines[a] - g.lines[b] })
	for _, name := range names {
		value := g.values[name]
		if value == nil || value == false || value == "" {
			continue // as without it
		}
		if !g.setText(name, value) && !g.setNumber(name, value) && !g.setOther(name, value) &&
			!strings.HasPrefix(name, "_") {
			g.leave("line %d: %s", g.lines[name], g.texts[name])
		}
	}
	g.finish()
}

func (g *gunicorn) setText(name string, value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	switch name {
	case "chdir":
		g.app.Directory = config.Path(text)
	case "worker_class":
		return g.workerClass(text)
	case "loglevel":
		level, found := map[string]string{"debug": "debug", "info": "info", "warning": "warn", "error": "error",
			"critical": "error"}[strings.ToLower(text)]
		g.File.Log.Level = level
		return found
	case "accesslog":
		g.accessLog(text, cmp.Or(g.File.Log.Access.Format, "combined"))
	case "access_log_format":
		format, ok := atoms.template(text)
		if log, _ := g.values["accesslog"].(string); ok && log != "" {
			g.accessLog(log, format)
		}
		return ok
	case "pythonpath":
		g.setVariable("PYTHONPATH", strings.ReplaceAll(text, ",", ":"))
	case "ca_certs":
		g.File.TLS.ClientCA = config.Path(text)
	case "certfile", "keyfile", "user", "group", "errorlog":
		return name != "errorlog" || text == "-" // finish has the others
	default:
		return false
	}
	return true
}

func (g *gunicorn) workerClass(class string) bool {
	switch {
	case strings.Contains(strings.ToLower(class), "uvicorn"), class == "asgi":
		g.app.Interface = "asgi"
	case class != "sync" && class != "gthread":
		return false
	}
	return true
}

func (g *gunicorn) setVariable(name, value string) {
	if g.app.Environment == nil {
		g.app.Environment = map[string]string{}
	}
	g.app.Environment[name] = value
}

func (g *gunicorn) setNumber(name string, value any) bool {
	n, ok := value.(int)
	if f, is := value.(float64); is {
		n, ok = int(math.Ceil(f)), true
	}
	if !ok || n < 0 {
		return false
	}
	time := seconds(float64(n))
	switch name {
	case "workers":
		g.app.Processes.Fixed = max(n, 1)
	case "threads":
		g.app.Threads = n
	case "timeout":
		if g.app.Stuck.After = time; n > 0 {
			g.File.Timeouts.Response = time
		}
	case "graceful_timeout":
		g.app.Stop.Timeout, g.File.Timeouts.Shutdown = time, time
	case "keepalive":
		g.File.Timeouts.Idle = time
	case "max_requests":
		g.app.Recycle.Requests = n
	case "limit_request_fields":
		g.File.Limits.Fields = n
	case "max_requests_jitter": // finish has it
	case "user", "group":
	default:
		return false
	}
	return true
}

func (g *gunicorn) setOther(name string, value any) bool {
	list := pythonTexts(value)
	switch name {
	case "bind":
		for _, bind := range list {
			g.bind(bind)
		}
	case "raw_env":
		for _, variable := range list {
			key, text, _ := strings.Cut(variable, "=")
			g.setVariable(key, text)
		}
	case "forwarded_allow_ips", "proxy_allow_ips":
		for _, address := range list {
			g.trust(address)
		}
	case "proxy_protocol":
		g.File.Proxies.Protocol = true
	case "reload":
		g.app.Watch = []string{"**/*.py"}
	default:
		return false
	}
	return true
}

// pythonTexts returns the texts of a value: itself, or those of a list. Commas separate texts.
func pythonTexts(value any) (list []string) {
	switch v := value.(type) {
	case string:
		for _, text := range strings.Split(v, ",") {
			list = append(list, strings.TrimSpace(text))
		}
	case []any:
		for _, element := range v {
			if text, ok := element.(string); ok {
				list = append(list, text)
			}
		}
	}
	return list
}

func (g *gunicorn) bind(bind string) {
	if number, ok := strings.CutPrefix(bind, "fd://"); ok {
		g.File.Listen = append(g.File.Listen, "fd:"+number)
		return
	}
	if !strings.HasPrefix(bind, "unix:") && !strings.Contains(strings.TrimLeft(bind, "["), ":") {
		bind += ":8000" // as gunicorn has it
	}
	g.File.Listen = append(g.File.Listen, address(bind, g.values["certfile"] != nil))
}

func (g *gunicorn) trust(address string) {
	trusted := []string{address}
	if address == "*" {
		trusted = []string{"0.0.0.0/0", "::/0"}
	}
	for _, one := range trusted {
		if !slices.Contains(g.File.Proxies.Trust, one) {
			g.File.Proxies.Trust = append(g.File.Proxies.Trust, one)
		}
	}
}

// finish converts what takes several values.
func (g *gunicorn) finish() {
	if len(g.File.Listen) == 0 {
		g.bind("127.0.0.1:8000")
	}
	if cert, ok := g.values["certfile"].(string); ok {
		key, _ := g.values["keyfile"].(string)
		g.File.TLS.Certificates = []config.Certificate{{Cert: config.Path(cert), Key: config.Path(key)}}
	}
	jitter, _ := g.values["max_requests_jitter"].(int)
	if n := g.app.Recycle.Requests; n > 0 {
		g.app.Recycle.Jitter = config.Percent(min(math.Round(100*float64(jitter)/float64(n))/100, 1))
	}
	if user := g.values["user"]; user != nil && user != "" {
		g.app.User = fmt.Sprint(user)
		if group := g.values["group"]; group != nil && group != "" {
			g.app.User += ":" + fmt.Sprint(group)
		}
	}
	if g.app.Interface == "asgi" && g.app.Threads > 0 {
		g.leave("threads = %d: an ASGI application has an event loop", g.app.Threads)
		g.app.Threads = 0
	}
}
