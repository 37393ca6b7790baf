package convert

import (
	"cmp"
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	nginx "github.com/tufanbarisyildirim/gonginx/config"
	"github.com/tufanbarisyildirim/gonginx/parser"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// NGINX converts server blocks of nginx: those of a whole nginx.conf, or of a file that it
// includes. It reads no other files.
func NGINX(text []byte) (*Result, error) {
	read, err := parser.NewStringParser(string(text), parser.WithSkipValidDirectivesErr(), parser.WithSkipComments()).
		Parse()
	if err != nil {
		return nil, fmt.Errorf("this is not a configuration of nginx: %w", err)
	}
	n := nginxFile{Result: newResult(), upstreams: map[string]bool{}, logFormats: map[string]string{}}
	n.collect(read.Directives)
	if len(n.servers) == 0 {
		return nil, fmt.Errorf("there is no server block")
	}
	for i := range n.servers {
		n.server(&n.servers[i])
	}
	n.sortRoutes()
	return n.Result, nil
}

type nginxFile struct {
	*Result
	servers    []nginxServer
	upstreams  map[string]bool
	logFormats map[string]string // by name
	ranked     []rankedRoute
}

// nginxServer is a server block.
type nginxServer struct {
	directives []nginx.IDirective
	names      []string
	secure     bool
	root       string
	index      string
	named      map[string][]nginx.IDirective // locations that begin with @
	body       config.Size
	guarded    bool // not everybody gets what is there
}

// guards are directives that keep requests out. Where one stands, all are kept out: to leave it
// out would open what it guards.
var guards = []string{"auth_basic", "auth_request", "auth_jwt", "allow", "deny", "satisfy", "internal", "limit_except",
	"ssl_verify_client", "secure_link", "valid_referers"}

// guard notes that a place is closed.
func (n *nginxFile) guard(where string, d nginx.IDirective) {
	n.leave("%s%s %s: all requests get 403", where, d.GetName(), strings.Join(words(d), " "))
}

// closed makes a route answer 403.
func closed(r *config.Route) {
	open := *r
	*r = route()
	r.Match = open.Match
	r.Respond.Status = 403
}

// rankedRoute is a route with what decides when nginx takes a location.
type rankedRoute struct {
	config.Route
	rank, length int
}

// The order in which nginx takes locations.
const (
	exact = iota
	prefixFirst
	pattern
	prefix
)

func words(d nginx.IDirective) (list []string) {
	for _, p := range d.GetParameters() {
		list = append(list, unquote(p.GetValue()))
	}
	return list
}

// escapes are those of quoted text.
var escapes = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\"`, `"`, `\'`, `'`, `\\`, `\`)

func unquote(text string) string {
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return escapes.Replace(text[1 : len(text)-1])
	}
	return text
}

func children(d nginx.IDirective) []nginx.IDirective {
	if d.GetBlock() == nil {
		return nil
	}
	return d.GetBlock().GetDirectives()
}

// collect finds the servers and upstreams, and converts what goes for all servers.
func (n *nginxFile) collect(list []nginx.IDirective) {
	for _, d := range list {
		switch d.GetName() {
		case "http":
			n.collect(children(d))
		case "server":
			n.servers = append(n.servers, n.newServer(d))
		case "upstream":
			if name := words(d); len(name) > 0 {
				n.upstreams[name[0]] = true
			}
		case "events", "worker_processes", "pid", "include", "user", "sendfile", "tcp_nopush", "types",
			"default_type", "types_hash_max_size", "error_log", "worker_rlimit_nofile", "server_tokens", "tcp_nodelay":
			if d.GetName() == "include" && !strings.Contains(strings.Join(words(d), " "), "mime.types") {
				n.leaveDirective("", d)
			}
		default:
			if !n.general(d) {
				n.leaveDirective("", d)
			}
		}
	}
}

// leaveDirective notes a directive that is not converted.
func (n *nginxFile) leaveDirective(where string, d nginx.IDirective) {
	text := d.GetName() + " " + strings.Join(words(d), " ")
	if d.GetBlock() != nil {
		text += " {...}"
	}
	n.leave("%s%s", where, text)
}

// general converts a directive that goes for all servers here, wherever it stands.
func (n *nginxFile) general(d nginx.IDirective) bool {
	args := words(d)
	if len(args) == 0 {
		return false
	}
	t := &n.File.Timeouts
	times := map[string]*config.Duration{
		"proxy_read_timeout": &t.Response, "keepalive_timeout": &t.Idle, "client_header_timeout": &t.Headers,
		"client_body_timeout": &t.Client, "send_timeout": &t.Client,
	}
	if to, found := times[d.GetName()]; found {
		return nginxTime(to, args[0])
	}
	switch d.GetName() {
	case "gzip":
		n.File.Compress.Enabled = args[0] == "on"
	case "gzip_min_length":
		return n.File.Compress.Min.UnmarshalText([]byte(args[0])) == nil && n.File.Compress.Min > 0
	case "access_log":
		return n.accessLogOf(args)
	case "log_format":
		n.logFormats[args[0]] = strings.Join(args[1:], "")
	case "gzip_types", "gzip_vary", "gzip_proxied", "gzip_comp_level", "gzip_disable",
		"proxy_http_version",
		"proxy_buffering", "proxy_request_buffering", "proxy_redirect", "ssl_protocols", "ssl_ciphers",
		"ssl_prefer_server_ciphers", "ssl_session_cache", "ssl_session_timeout", "http2", "http3":
	case "proxy_set_header":
		return slices.Contains([]string{"host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
			"upgrade", "connection"}, strings.ToLower(args[0]))
	default:
		return false
	}
	return true
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

func nginxTime(to *config.Duration, text string) bool {
	if strings.Trim(text, "0123456789") == "" {
		text += "s"
	}
	return to.UnmarshalText([]byte(text)) == nil && *to > 0
}

// newServer reads what the routes of a server depend on.
func (n *nginxFile) newServer(d nginx.IDirective) nginxServer {
	s := nginxServer{directives: children(d), named: map[string][]nginx.IDirective{}, root: "html"}
	for _, d := range s.directives {
		args := words(d)
		s.guarded = s.guarded || slices.Contains(guards, d.GetName())
		switch d.GetName() {
		case "server_name":
			for _, name := range args {
				if name != "_" && name != "" && name != "localhost" {
					s.names = append(s.names, name)
				}
			}
		case "listen":
			s.secure = s.secure || slices.Contains(args, "ssl") || slices.Contains(args, "quic")
		case "root", "index":
			if len(args) > 0 && d.GetName() == "root" {
				s.root = args[0]
			} else if len(args) > 0 {
				s.index = args[0]
			}
		case "client_max_body_size":
			if len(args) > 0 && s.body.UnmarshalText([]byte(args[0])) != nil {
				n.leaveDirective("", d)
			}
		case "location":
			if len(args) == 1 && strings.HasPrefix(args[0], "@") {
				s.named[args[0]] = children(d)
			}
		}
	}
	return s
}

// toHTTPS reports whether all that a server does is to send clients to https://.
func (s *nginxServer) toHTTPS() bool {
	if s.secure {
		return false
	}
	sends := false
	for _, d := range s.directives {
		switch args := words(d); d.GetName() {
		case "return":
			sends = len(args) == 2 && strings.HasPrefix(args[1], "https://")
		case "listen", "server_name":
		default:
			return false
		}
	}
	return sends
}

func (n *nginxFile) server(s *nginxServer) {
	where := "server: "
	if len(s.names) > 0 {
		where = "server " + s.names[0] + ": "
	}
	if s.toHTTPS() && slices.ContainsFunc(n.servers, func(o nginxServer) bool { return o.secure }) {
		n.leave("%sthe addresses in the clear that only send clients to https://", where)
		return
	}
	if len(n.servers) == 1 {
		n.File.Limits.Body = s.body
	}
	for i, name := range s.names {
		if strings.HasPrefix(name, "~") || strings.Contains(strings.TrimPrefix(name, "*."), "*") {
			n.leave("%sserver_name %s", where, name)
		}
		if rest, short := strings.CutPrefix(name, "."); short {
			s.names[i] = rest
			s.names = append(s.names, "*."+rest)
		}
	}
	s.names = slices.DeleteFunc(s.names, func(name string) bool {
		return strings.HasPrefix(name, "~") || strings.Contains(strings.TrimPrefix(name, "*."), "*")
	})
	n.ofServer(s, where)
}

// ofServer converts the directives of a server one by one.
func (n *nginxFile) ofServer(s *nginxServer, where string) {
	var certificate config.Certificate
	whole := n.route(s, nil, prefix)
	answers := false
	for _, d := range s.directives {
		args := words(d)
		if len(args) == 0 {
			n.leaveDirective(where, d)
			continue
		}
		switch d.GetName() {
		case "server_name", "root", "index", "client_max_body_size", "server_tokens", "charset":
		case "listen":
			n.listen(args)
		case "ssl_certificate":
			certificate.Cert = config.Path(strings.Join(args, ""))
		case "ssl_certificate_key":
			certificate.Key = config.Path(strings.Join(args, ""))
		case "location":
			if !strings.HasPrefix(args[len(args)-1], "@") {
				n.location(s, where, d)
			}
		case "return":
			answers = n.answer(&whole.Route, where, d)
		case "try_files":
			answers = n.tryFiles(s, &whole.Route, where, args)
		case "error_page":
			n.errorPage(s, where, d)
		default:
			if slices.Contains(guards, d.GetName()) {
				n.guard(where, d)
				answers = true
			} else if !n.general(d) {
				n.leaveDirective(where, d)
			}
		}
	}
	if s.guarded {
		closed(&whole.Route)
	}
	if answers {
		n.ranked = append(n.ranked, whole)
	}
	if certificate.Cert != "" && !slices.Contains(n.File.TLS.Certificates, certificate) {
		n.File.TLS.Certificates = append(n.File.TLS.Certificates, certificate)
	}
}

// listen converts an address. nginx listens on the IPv6 one apart; here, :80 has both.
func (n *nginxFile) listen(args []string) {
	if len(args) == 0 {
		return
	}
	text := args[0]
	if host, port, err := net.SplitHostPort(text); err == nil && (host == "::" || host == "0.0.0.0" || host == "*") {
		text = port
	}
	if strings.Contains(text, ".") && !strings.Contains(text, ":") {
		text += ":80"
	}
	secure := slices.Contains(args, "ssl") || slices.Contains(args, "quic")
	if to := address(text, secure); !slices.Contains(n.File.Listen, to) {
		n.File.Listen = append(n.File.Listen, to)
	}
}

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

// errorPage converts a page for statuses, if it is a file of the server.
func (n *nginxFile) errorPage(s *nginxServer, where string, d nginx.IDirective) {
	args := words(d)
	page := args[len(args)-1]
	ending := path.Ext(page)
	if !strings.HasPrefix(page, "/") || !slices.Contains([]string{".html", ".txt", ".json"}, ending) {
		n.leaveDirective(where, d)
		return
	}
	for _, status := range args[:len(args)-1] {
		if len(status) != 3 || status[0] < '4' || status[0] > '5' {
			n.leave("%serror_page %s", where, status)
			continue
		}
		if n.File.Errors.Pages == nil {
			n.File.Errors.Pages = map[string]config.Path{}
		}
		n.File.Errors.Pages[status] = config.Path(path.Join(s.root, page))
	}
}

// sortRoutes puts the routes into the order in which nginx takes them: those of the first
// server, which is the default one, come last if the server has no name.
func (n *nginxFile) sortRoutes() {
	slices.SortStableFunc(n.ranked, func(a, b rankedRoute) int {
		return cmp.Or(hostless(a)-hostless(b), a.rank-b.rank, b.length-a.length)
	})
	for _, r := range n.ranked {
		n.File.Routes = append(n.File.Routes, r.Route)
	}
}

func hostless(r rankedRoute) int {
	if len(r.Match.Host) == 0 {
		return 1
	}
	return 0
}
