package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// Unit converts the configuration of NGINX Unit, in JSON.
func Unit(text []byte) (*Result, error) {
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("the configuration of Unit is JSON: %w", err)
	}
	u := unit{Result: newResult(), all: object{values: all}}
	u.applications()
	u.listeners()
	u.settings()
	u.all.leaveRest(u.Result)
	return u.Result, nil
}

// object is a JSON object whose members are taken out one by one; the rest is not converted.
type object struct {
	path   string
	values map[string]any
}

func (o *object) take(name string) any {
	v := o.values[name]
	delete(o.values, name)
	return v
}

func (o *object) text(name string) string {
	switch v := o.take(name).(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func (o *object) number(name string) (float64, bool) {
	v, ok := o.values[name].(float64)
	if ok {
		delete(o.values, name)
	}
	return v, ok
}

func (o *object) object(name string) object {
	values, _ := o.values[name].(map[string]any)
	if values != nil {
		delete(o.values, name)
	}
	return object{join(o.path, name), values}
}

// list returns the texts of a list, or a single one.
func (o *object) list(name string) []string { return textsOf(o.take(name)) }

func textsOf(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, element := range v {
			list = append(list, textsOf(element)...)
		}
	}
	return list
}

func (o *object) leaveRest(r *Result) {
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		value, err := json.Marshal(o.values[name])
		if err != nil {
			value = nil
		}
		r.leave("%s: %s", join(o.path, name), value)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

type unit struct {
	*Result
	all object
}

func (u *unit) applications() {
	apps := u.all.object("applications")
	for _, name := range slices.Sorted(maps.Keys(apps.values)) {
		o := apps.object(name)
		a := app()
		kind := o.text("type")
		language, _, _ := strings.Cut(kind, " ")
		switch language {
		case "python":
			u.python(&o, &a)
		case "external", "go", "node":
			a.Command = append(config.Command{o.text("executable")}, o.list("arguments")...)
			u.leave("%s: the program has to be a worker of upload-response, not of Unit", o.path)
		default:
			u.leave("%s: applications of type %q", o.path, kind)
			continue
		}
		u.processes(&o, &a)
		u.File.Apps[appName(name)] = a
		o.leaveRest(u.Result)
	}
}

func (u *unit) python(o *object, a *config.App) {
	callable := o.text("callable")
	if callable == "" {
		callable = "application"
	}
	if factory, ok := o.take("factory").(bool); ok && factory {
		callable += "()"
	}
	a.Python = o.text("module") + ":" + callable
	a.Virtualenv = o.text("home")
	if protocol := o.text("protocol"); protocol != "" {
		a.Interface = protocol
	}
	if threads, ok := o.number("threads"); ok && threads > 1 {
		a.Threads = int(threads)
	}
	if paths := o.list("path"); len(paths) > 0 {
		a.Directory = config.Path(paths[0])
		if len(paths) > 1 {
			a.Environment = map[string]string{"PYTHONPATH": strings.Join(paths, ":")}
		}
	}
}

// processes converts what all kinds of applications have.
func (u *unit) processes(o *object, a *config.App) {
	if folder := o.text("working_directory"); folder != "" {
		if a.Python != "" && a.Directory != "" {
			a.Environment = map[string]string{"PYTHONPATH": string(a.Directory)}
		}
		a.Directory = config.Path(folder)
	}
	if a.User = o.text("user"); a.User != "" {
		if group := o.text("group"); group != "" {
			a.User += ":" + group
		}
	}
	if n, ok := o.number("processes"); ok {
		a.Processes.Fixed = max(int(n), 1)
	} else if scale := o.object("processes"); scale.values != nil {
		most, _ := scale.number("max")
		spare, _ := scale.number("spare")
		a.Processes.Max, a.Processes.Min = max(int(most), 1), max(int(spare), 1)
		if idle, ok := scale.number("idle_timeout"); ok {
			a.Processes.Idle = seconds(idle)
		}
	}
	limits := o.object("limits")
	if n, ok := limits.number("timeout"); ok {
		a.Stuck.After = seconds(n)
	}
	if n, ok := limits.number("requests"); ok {
		a.Recycle.Requests = int(n)
	}
	limits.leaveRest(u.Result)
	environment := o.object("environment")
	for name, value := range environment.values {
		if a.Environment == nil {
			a.Environment = map[string]string{}
		}
		a.Environment[name] = fmt.Sprint(value)
	}
}

func seconds(n float64) config.Duration { return config.Duration(n * float64(time.Second)) }

func (u *unit) listeners() {
	listeners := u.all.object("listeners")
	first := ""
	for _, name := range slices.Sorted(maps.Keys(listeners.values)) {
		o := listeners.object(name)
		pass := o.text("pass")
		secure := o.object("tls")
		switch {
		case secure.values != nil:
			u.leave("%s: tls: export the certificate bundle, and add https://%s to listen, and tls.certificates",
				o.path, strings.TrimPrefix(name, "*"))
			continue
		case first != "" && pass != first:
			u.leave("%s: pass to %s: all addresses have the same routes", o.path, pass)
			continue
		}
		first = pass
		u.File.Listen = append(u.File.Listen, address(name, false))
		if forwarded := o.object("forwarded"); forwarded.values != nil {
			u.File.Proxies.Trust = append(u.File.Proxies.Trust, forwarded.list("source")...)
		}
		o.leaveRest(u.Result)
	}
	u.pass(first)
}

// pass converts the routes of a listener.
func (u *unit) pass(to string) {
	kind, name, _ := strings.Cut(to, "/")
	routes := u.all.take("routes")
	switch kind {
	case "applications":
		r := route()
		if u.toApp(&r, name, "listeners") {
			u.File.Routes = append(u.File.Routes, r)
		}
	case "routes":
		list, _ := routes.([]any)
		if named, ok := routes.(map[string]any); ok {
			list, _ = named[name].([]any)
			delete(named, name)
			rest := object{"routes", named}
			rest.leaveRest(u.Result)
		}
		for i, step := range list {
			u.step(fmt.Sprintf("routes[%d]", i), step)
		}
	case "":
	default:
		u.leave("listeners: pass to %s", to)
	}
	u.addAppsWithoutRoutes()
}

// addAppsWithoutRoutes leaves out apps that no route names.
func (u *unit) addAppsWithoutRoutes() {
	for _, name := range slices.Sorted(maps.Keys(u.File.Apps)) {
		if !slices.ContainsFunc(u.File.Routes, func(r config.Route) bool { return r.App == name }) {
			u.leave("applications.%s: no route that was converted leads to it", name)
			delete(u.File.Apps, name)
		}
	}
}

func (u *unit) toApp(r *config.Route, target, path string) bool {
	name, part, _ := strings.Cut(target, "/")
	if _, found := u.File.Apps[appName(name)]; !found {
		u.leave("%s: pass to applications/%s, which is not converted", path, target)
		return false
	}
	if part != "" {
		u.leave("%s: target %s of applications/%s", path, part, name)
		return false
	}
	r.App = appName(name)
	return true
}

// step converts a step of a route.
func (u *unit) step(path string, v any) {
	values, _ := v.(map[string]any)
	o := object{path, values}
	r := route()
	match, action := o.object("match"), o.object("action")
	if u.match(&match, &r) && u.action(&action, &r) {
		u.File.Routes = append(u.File.Routes, r)
	}
	o.leaveRest(u.Result)
}

// match converts what requests a step takes. It returns false if that is not possible; then the
// step is left out.
func (u *unit) match(o *object, r *config.Route) bool {
	r.Match.Host, r.Match.Method = o.list("host"), o.list("method")
	for _, path := range o.list("uri") {
		pattern, ok := unitPath(path)
		if !ok {
			u.leave("%s.uri: the pattern %s, and the step with it: later steps get its requests", o.path, path)
			return false
		}
		if pattern != "" {
			r.Match.Path = append(r.Match.Path, pattern)
		}
	}
	for _, host := range r.Match.Host {
		if strings.ContainsAny(host, "~!") || strings.Contains(strings.TrimPrefix(host, "*."), "*") {
			u.leave("%s.host: the pattern %s, and the step with it: later steps get its requests", o.path, host)
			return false
		}
	}
	if headers := o.object("headers"); len(headers.values) > 0 {
		r.Match.Header = map[string]string{}
		for name, value := range headers.values {
			text, single := value.(string)
			if !single || strings.ContainsAny(text, "~!*") && text != "*" {
				u.leave("%s.headers.%s: the pattern %v, and the step with it: later steps get its requests", o.path,
					name, value)
				return false
			}
			r.Match.Header[name] = text
		}
	}
	if len(o.values) > 0 {
		o.leaveRest(u.Result)
		u.leave("%s: and the step with it: later steps get its requests", o.path)
		return false
	}
	return true
}

// unitPath converts a pattern of paths; "" matches all.
func unitPath(pattern string) (path string, ok bool) {
	switch {
	case pattern == "*" || pattern == "/*":
		return "", true
	case strings.ContainsAny(pattern, "~!"), strings.Count(pattern, "*") > 1:
		return "", false
	case strings.HasPrefix(pattern, "*"), !strings.Contains(pattern, "*"), strings.HasSuffix(pattern, "/*"):
		return pattern, true
	}
	return "", false
}

// action converts what a step does.
func (u *unit) action(o *object, r *config.Route) bool {
	defer o.leaveRest(u.Result)
	if pass := o.text("pass"); pass != "" {
		if target, ok := strings.CutPrefix(pass, "applications/"); ok {
			return u.toApp(r, target, o.path)
		}
		u.leave("%s: pass to %s", o.path, pass)
		return false
	}
	if share := o.list("share"); len(share) > 0 {
		return u.share(o, r, share)
	}
	status, returns := o.number("return")
	location := o.text("location")
	switch {
	case returns && location != "" && slices.Contains([]float64{301, 302, 303, 307, 308}, status):
		r.Redirect.To, r.Redirect.Status = strings.NewReplacer("$request_uri", "$path$query", "$uri", "$path").
			Replace(location), int(status)
	case returns:
		r.Respond.Status = int(status)
	default:
		u.leave("%s: the step", o.path)
	}
	return returns
}

func (u *unit) share(o *object, r *config.Route, share []string) bool {
	root, whole := strings.CutSuffix(share[0], "$uri")
	if !whole || strings.Contains(root, "$") {
		u.leave("%s.share: %s, and the step with it: later steps get its requests", o.path, share[0])
		return false
	}
	if len(share) > 1 {
		u.leave("%s.share: %s", o.path, strings.Join(share[1:], ", "))
	}
	r.Files.Root = config.Path(root)
	if index := o.text("index"); index != "" {
		r.Files.Index = index
	}
	fallback := o.object("fallback")
	if target, ok := strings.CutPrefix(fallback.text("pass"), "applications/"); ok {
		u.toApp(r, target, fallback.path)
	}
	fallback.leaveRest(u.Result)
	return true
}

func (u *unit) settings() {
	settings := u.all.object("settings")
	http := settings.object("http")
	t := &u.File.Timeouts
	for name, to := range map[string]*config.Duration{
		"header_read_timeout": &t.Headers, "body_read_timeout": &t.Client, "idle_timeout": &t.Idle,
	} {
		if n, ok := http.number(name); ok {
			*to = seconds(n)
		}
	}
	if n, ok := http.number("max_body_size"); ok {
		u.File.Limits.Body = config.Size(n)
	}
	http.leaveRest(u.Result)
	settings.leaveRest(u.Result)
	u.accessLogOf(u.all.take("access_log"))
}
