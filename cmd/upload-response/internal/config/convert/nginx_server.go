package convert

import (
	"net"
	"path"
	"slices"
	"strings"

	nginx "github.com/tufanbarisyildirim/gonginx/config"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/config"
)

// nginxServer is a server block.
type nginxServer struct {
	directives []nginx.IDirective
	names      []string
	secure     bool
	root       string
	rooted     bool // it says what its root is
	index      string
	named      map[string][]nginx.IDirective // locations that begin with @
	body       config.Size
	guarded    bool // not everybody gets what is there
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
				s.root, s.rooted = args[0], true
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

// errorPage converts a page for statuses, if it is a file of the server.
func (n *nginxFile) errorPage(s *nginxServer, where string, d nginx.IDirective) {
	args := words(d)
	page := s.errorFile(args[len(args)-1])
	if page == "" || !slices.Contains([]string{".html", ".txt", ".json"}, path.Ext(page)) {
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
		n.File.Errors.Pages[status] = config.Path(page)
	}
}

// errorFile returns the file at the path of an error page; empty if the server does not say where it is. The root of
// nginx itself is known to nginx only.
func (s *nginxServer) errorFile(at string) string {
	root := ""
	if s.rooted {
		root = s.root
	}
	for _, d := range s.directives {
		if d.GetName() != "location" || !slices.Equal(words(d), []string{"=", at}) {
			continue
		}
		for _, d := range children(d) {
			switch args := words(d); {
			case len(args) == 0:
			case d.GetName() == "root":
				root = args[0]
			case d.GetName() == "alias":
				root, at = args[0], "/"
			}
		}
	}
	if root == "" || !strings.HasPrefix(at, "/") || strings.Contains(root+at, "$") {
		return ""
	}
	return path.Join(root, at)
}
