package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// Bridge lets a browser reach the admin socket of a server: it answers on a port of this
// machine, and passes on what comes with its token. The token is made for this bridge, and ends
// with it.
type Bridge struct {
	Token string

	guard Server // has the token
	proxy *httputil.ReverseProxy
}

// NewBridge returns a bridge to the server of a client.
func NewBridge(c *Client) *Bridge {
	b := &Bridge{Token: rand.Text()}
	hash := sha256.Sum256([]byte(b.Token))
	b.guard.tokenHash = hash[:]
	b.proxy = &httputil.ReverseProxy{
		Transport: c.Transport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: c.host()})
			r.Out.Header.Del("Authorization")
			if c.token != "" {
				r.Out.Header.Set("Authorization", "Bearer "+c.token)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			sendProblem(w, http.StatusBadGateway, c.explain(err).Error())
		},
	}
	return b
}

// ServeHTTP passes a request on if it is for the page, or has the token.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	isPage := r.Method == http.MethodGet && (r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/assets/"))
	switch {
	case !b.guard.isOurName(r.Host):
		sendProblem(w, http.StatusMisdirectedRequest, "ask for this address by its number, or as localhost")
	case !isPage && !b.guard.hasToken(r):
		sendProblem(w, http.StatusUnauthorized, "use the whole address that 'upload-response web' has printed")
	default:
		b.proxy.ServeHTTP(w, r)
	}
}

// Server returns a server for the bridge. Release: Close.
func (b *Bridge) Server() *http.Server {
	return &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10}
}
