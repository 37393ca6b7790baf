package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/server"
)

// checkRoutes refuses routes that lead nowhere, and requests that no route says anything about.
func (f *File) checkRoutes() {
	names := map[string]int{}
	for i := range f.Routes {
		key, r := indexed("routes", i), &f.Routes[i]
		f.checkAnswer(key, r)
		f.checkMatch(key+".match", &r.Match)
		f.checkFiles(key+".files", &r.Files)
		f.checkRouteLimit(key+".limit", &r.Limit)
		f.checkRetry(key, r)
		if other, twice := names[r.Name]; twice && r.Name != "" {
			f.addAt(key+".name", "route %d has this name, too", other+1)
		}
		names[r.Name] = i
	}
	f.checkShadowed()
	f.checkAppsHaveRoutes()
	f.checkByServer()
}

// checkShadowed refuses routes of whose requests an earlier one takes all.
func (f *File) checkShadowed() {
	for i := range f.Routes {
		for j := range i {
			if f.has(indexed("routes", j)+".match") && f.Routes[j].Match.covers(&f.Routes[i].Match) {
				f.addAt(indexed("routes", i), "route %d never gets a request, since route %d takes all of them: "+
					"move it further up, or remove it", i+1, j+1)
				break
			}
		}
	}
}

// covers reports whether a match certainly matches whatever another one does.
func (m *Match) covers(other *Match) bool {
	for name, value := range m.Header {
		if other.Header[name] != value {
			return false
		}
	}
	return coversAll(m.Host, other.Host) && coversAll(m.Method, other.Method) && coversAll(m.Path, other.Path)
}

// coversAll reports whether each of other patterns is among these, or below one of these; no pattern
// matches everything.
func coversAll(patterns, others []string) bool {
	if len(patterns) == 0 {
		return true
	}
	return len(others) > 0 && !slices.ContainsFunc(others, func(other string) bool {
		return !slices.ContainsFunc(patterns, func(pattern string) bool {
			below, all := strings.CutSuffix(pattern, "/*")
			return pattern == other || all && !strings.Contains(below, "*") &&
				(other == below || strings.HasPrefix(other, below+"/"))
		})
	})
}

// checkByServer refuses what the server would.
func (f *File) checkByServer() {
	if len(f.problems) > 0 {
		return
	}
	list := f.ServerRoutes()
	for i := range list {
		if err := server.CheckRoutes(list[:i+1]); err != nil {
			f.addAt(indexed("routes", i), "%v", err)
			return
		}
	}
	for status, path := range f.Errors.Pages {
		pages := server.ErrorPages{Pages: map[string]string{status: string(path)}}
		if err := pages.Check(); err != nil {
			f.addAt("errors.pages."+status, "%v", err)
		}
	}
}

// checkAnswer refuses a route with no answer, or with several.
func (f *File) checkAnswer(key string, r *Route) {
	if r.App != "" {
		if _, found := f.Apps[r.App]; !found {
			f.addAt(key+".app", "there is no app %s%s", r.App, orNearest(r.App, f.AppNames()))
		}
	}
	var answers []string
	for _, name := range []string{"app", "files", "redirect", "respond"} {
		if f.has(key + "." + name) {
			answers = append(answers, name)
		}
	}
	switch {
	case len(answers) == 0:
		f.addAt(key, "the route leads nowhere: give it app, files, redirect or respond")
	case len(answers) == 2 && answers[0] == "app" && answers[1] == "files":
	case len(answers) > 1:
		f.addAt(key, "%s: a route has one answer: remove all but one, or files with app",
			strings.Join(answers, " and "))
	}
}

func (f *File) checkMatch(key string, m *Match) {
	for i, path := range m.Path {
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "*") {
			f.addAt(indexed(key+".path", i), "a path begins with / or with *: did you mean /%s?", path)
		}
	}
	for i, method := range m.Method {
		if method == "" || method != strings.ToUpper(method) || strings.ContainsAny(method, " \t,") {
			f.addAt(indexed(key+".method", i), "want a method in capitals, such as GET")
		}
	}
	for name := range m.Header {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }) {
			f.addAt(key+".header."+name, "want the name of a header field, such as X-Version")
		}
	}
	for i, host := range m.Host {
		if strings.Contains(host, "/") {
			f.addAt(indexed(key+".host", i), "want the name of a host, such as www.example.org")
		}
	}
}

func (f *File) checkFiles(key string, files *Files) {
	if !f.has(key) {
		return
	}
	f.checkDirectory(key+".root", files.Root)
	if files.Fallback != "" && !strings.HasPrefix(files.Fallback, "/") {
		f.addAt(key+".fallback", "want a path that begins with /")
	}
}

func (f *File) checkRouteLimit(key string, limit *RouteLimit) {
	if limit.By != "address" {
		if name, ok := strings.CutPrefix(limit.By, "header:"); !ok || strings.TrimSpace(name) == "" {
			f.addAt(key+".by", "want address, or header: and the name of a field, such as header:X-Api-Key")
		}
	}
	for _, setting := range []string{"burst", "by"} {
		if f.has(key+"."+setting) && limit.Rate == 0 {
			f.addAt(key+"."+setting, "%s needs rate", setting)
		}
	}
}

func (f *File) checkRetry(key string, r *Route) {
	switch {
	case !f.has(key + ".retry"):
	case r.App == "":
		f.addAt(key+".retry", "retry is about the workers of an app: give the route one, or remove retry")
	case f.has(key+".retry.on") && slices.Contains(r.Retry.On, "died") && r.Retry.Times == 0:
		f.addAt(key+".retry.times", "on has died, and times is 0: remove one of them")
	}
}

// checkAppsHaveRoutes refuses apps that no route names.
func (f *File) checkAppsHaveRoutes() {
	if len(f.Routes) == 0 {
		if len(f.Apps) > 1 {
			f.addAt("apps", "several apps, and no routes: say which requests each of them gets, as in\n"+
				"routes:\n  - match: {path: /api/*}\n    app: %s\n  - app: %s", f.AppNames()[0], f.AppNames()[1])
		}
		return
	}
	if len(f.problems) > 0 {
		return // perhaps a route leads to a name that is misspelt
	}
	used := map[string]bool{}
	for _, r := range f.Routes {
		used[r.App] = true
	}
	for _, name := range f.AppNames() {
		if !used[name] {
			f.addAt("apps."+name, "no route leads to app %s: add one, such as %s", name,
				fmt.Sprintf("- {match: {path: /%s/*}, app: %[1]s}", name))
		}
	}
}
