package convert

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	nginx "github.com/tufanbarisyildirim/gonginx/config"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// route returns a route for the hosts of a server.
func (n *nginxFile) route(s *nginxServer, paths []string, rank int) rankedRoute {
	r := rankedRoute{route(), rank, 0}
	r.Match.Host, r.Match.Path = slices.Clone(s.names), paths
	if len(n.servers) > 1 {
		r.Limit.Body = s.body
	}
	if len(paths) > 0 && rank != pattern {
		r.length = len(paths[0])
	}
	return r
}

func (n *nginxFile) location(s *nginxServer, where string, d nginx.IDirective) {
	args := words(d)
	modifier, at := "", args[len(args)-1]
	if len(args) > 1 {
		modifier = args[0]
	}
	where += "location " + strings.Join(args, " ") + ": "
	paths, rank, ok := locationPaths(modifier, at)
	if !ok {
		n.leave("%sthe pattern, and the location with it", where)
		return
	}
	r := n.route(s, paths, rank)
	if n.ofLocation(s, &r.Route, where, at, children(d)) {
		if s.guarded {
			closed(&r.Route)
		}
		n.ranked = append(n.ranked, r)
	}
}

var endings = regexp.MustCompile(`^\\\.(\(\?:|\()?([A-Za-z0-9|]+)\)?\$$`)

// locationPaths converts what a location matches; no paths are all.
func locationPaths(modifier, at string) (paths []string, rank int, ok bool) {
	switch modifier {
	case "=":
		return []string{at}, exact, true
	case "~", "~*":
		match := endings.FindStringSubmatch(at)
		if match == nil || strings.Contains(match[2], "||") {
			return nil, 0, false
		}
		for _, ending := range strings.Split(match[2], "|") {
			paths = append(paths, "*."+ending)
		}
		return paths, pattern, true
	case "^~":
		rank = prefixFirst
	default:
		rank = prefix
	}
	if at == "/" {
		return nil, rank, true
	}
	return []string{strings.TrimRight(at, "/") + "/*"}, rank, true
}

// ofLocation converts what a location does. It returns false if it does nothing here.
func (n *nginxFile) ofLocation(s *nginxServer, r *config.Route, where, at string, list []nginx.IDirective) bool {
	answers, guarded, root, alias := false, false, "", ""
	for _, d := range list {
		args := words(d)
		switch name := d.GetName(); {
		case slices.Contains(guards, name):
			n.guard(where, d)
			guarded = true
		case len(args) == 0:
			n.leaveDirective(where, d)
		case name == "proxy_pass":
			answers = n.proxyPass(r, where, at, args[0])
		case name == "root":
			root = args[0]
		case name == "alias":
			alias = args[0]
		case name == "index":
			r.Files.Index = args[0]
		case name == "return":
			answers = n.answer(r, where, d)
		case name == "try_files":
			answers = n.tryFiles(s, r, where, args)
		case name == "client_max_body_size" && r.Limit.Body.UnmarshalText([]byte(args[0])) == nil:
		case name == "expires":
			n.expires(r, where, d)
		case name == "gzip_static" || name == "brotli_static" || name == "zstd_static":
			coding := map[string]string{"g": "gz", "b": "br", "z": "zst"}[name[:1]]
			r.Files.Precompressed = append(r.Files.Precompressed, coding)
		default:
			if !n.general(d) {
				n.leaveDirective(where, d)
			}
		}
	}
	if guarded {
		closed(r)
		return true
	}
	switch {
	case alias != "" && !strings.HasSuffix(alias, "/") && slices.Equal(r.Match.Path, []string{at}): // one file
		r.Files.Root, r.Files.Index, r.StripPrefix = config.Path(path.Dir(alias)), path.Base(alias), at
	case alias != "":
		r.Files.Root, r.StripPrefix = config.Path(alias), strings.TrimRight(at, "/")
	case root != "" || !answers && r.App == "" || r.Files.Fallback != "" || r.Files.Root != "":
		r.Files.Root = config.Path(cmp.Or(root, s.root))
	default:
		r.Files = route().Files
		return answers
	}
	r.Files.Index = cmp.Or(r.Files.Index, s.index)
	return true
}

// proxyPass sends a location to an app, which is named after the upstream or the address.
func (n *nginxFile) proxyPass(r *config.Route, where, at, to string) bool {
	scheme, rest, found := strings.Cut(to, "://")
	if !found || scheme != "http" || strings.Contains(to, "$") {
		n.leave("%sproxy_pass %s, and the location with it", where, to)
		return false
	}
	host, uri, hasURI := strings.Cut(rest, "/")
	if socket, ok := strings.CutPrefix(rest, "unix:"); ok {
		host, uri, hasURI = strings.Cut(socket, ":")
		host, uri = path.Base(host), strings.TrimPrefix(uri, "/")
	}
	name := appName(host)
	if _, known := n.File.Apps[name]; !known {
		n.File.Apps[name] = app()
		n.leave("%sproxy_pass %s: give apps.%s the command or the python of its workers, or start them, to attach",
			where, to, name)
	}
	r.App = name
	switch {
	case hasURI && uri == "":
		r.StripPrefix = strings.TrimRight(at, "/")
	case hasURI:
		n.leave("%sthe path /%s of proxy_pass", where, uri)
	}
	return true
}

var variable = regexp.MustCompile(`\$\{?[a-z_]+\}?`)

// target converts a URL with the variables of nginx.
func target(text string) (string, bool) {
	ok := true
	text = strings.NewReplacer("$request_uri", "\x00", "$uri$is_args$args", "\x00", "$uri?$args", "\x00").Replace(text)
	text = variable.ReplaceAllStringFunc(text, func(name string) string {
		to, found := map[string]string{"scheme": "$scheme", "host": "$host", "http_host": "$host",
			"server_name": "$host",
			"uri":         "$path", "document_uri": "$path"}[strings.Trim(name, "${}")]
		ok = ok && found
		return to
	})
	return strings.ReplaceAll(text, "\x00", "$path$query"), ok
}

// answer converts return.
func (n *nginxFile) answer(r *config.Route, where string, d nginx.IDirective) bool {
	args := words(d)
	status, err := strconv.Atoi(args[0])
	if err != nil { // return URL
		status, args = 302, append([]string{""}, args...)
	}
	isRedirect := slices.Contains([]int{301, 302, 303, 307, 308}, status)
	switch {
	case isRedirect && len(args) == 2:
		to, ok := target(args[1])
		if !ok {
			n.leaveDirective(where, d)
			return false
		}
		r.Redirect.To, r.Redirect.Status = to, status
	case isRedirect, status < 200 || status > 599:
		n.leaveDirective(where, d)
		return false
	default:
		r.Respond.Status = status
		if len(args) > 1 {
			r.Respond.Body = args[1]
		}
		if strings.Contains(r.Respond.Body, "$") {
			n.leave("%sthe variables in return %s", where, strings.Join(args, " "))
		}
	}
	return true
}

// tryFiles converts try_files: files, then a file, a named location, or a status.
func (n *nginxFile) tryFiles(s *nginxServer, r *config.Route, where string, args []string) bool {
	if len(args) < 2 {
		return false
	}
	for _, tried := range args[:len(args)-1] {
		if tried != "$uri" && tried != "$uri/" && tried != "$uri/index.html" {
			n.leave("%s%s of try_files", where, tried)
		}
	}
	r.Files.Root = config.Path(s.root)
	last, _, _ := strings.Cut(args[len(args)-1], "?")
	switch {
	case strings.HasPrefix(last, "@"):
		for _, d := range s.named[last] {
			if args := words(d); d.GetName() == "proxy_pass" && len(args) > 0 {
				n.proxyPass(r, where, "/", args[0])
			} else if !n.general(d) {
				n.leaveDirective(where+last+": ", d)
			}
		}
	case strings.HasPrefix(last, "/") && !strings.Contains(last, "$"):
		r.Files.Fallback = last
	case last != "=404":
		n.leave("%s%s of try_files", where, last)
	}
	return true
}

func (n *nginxFile) expires(r *config.Route, where string, d nginx.IDirective) {
	switch at := words(d)[0]; {
	case at == "off":
	case at == "max":
		r.Files.Expires = config.Duration(10 * 365 * 24 * time.Hour)
	case !nginxTime(&r.Files.Expires, at):
		n.leaveDirective(where, d)
	}
}
