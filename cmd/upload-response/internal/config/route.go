package config

// Route says what becomes of the requests that it matches: an app, files, a redirect or a
// response of the server; files with an app: the app gets what no file answers.
type Route struct {
	// Name in metrics and logs. The default is made of what the route matches.
	Name string `yaml:"name"`
	// Which requests. Without it, all that no route before matched.
	Match Match `yaml:"match" hint:"when,if,location"`
	// Beginning of the path that the app, the files or $path do not get.
	StripPrefix string `yaml:"strip-prefix" hint:"strip,rewrite"`
	// What clients may send to this route.
	Limit RouteLimit `yaml:"limit"`
	// Which requests are served by another worker when one has failed them, as far as they are
	// whole in memory and nothing of the response has come. A number alone is times.
	Retry Retry `yaml:"retry" hint:"retries,proxy-next-upstream"`
	// The app that answers.
	App string `yaml:"app" hint:"pool,pass,proxy,proxy-pass,upstream,backend"`
	// Files that answer. A path alone is the folder.
	Files Files `yaml:"files" hint:"static,share,alias"`
	// Where clients are sent. An address alone is the target.
	Redirect Redirect `yaml:"redirect"`
	// What the server itself answers. A number alone is the status.
	Respond Respond `yaml:"respond" hint:"return,response"`
}

// Match is which requests a route takes: those that all of the given keys match.
type Match struct {
	// Host names: www.example.org, or *.example.org for all names below it.
	Host []string `yaml:"host" hint:"hosts,server-name,domain"`
	// Paths: /exact, /api/* for /api and all below it, /users/*/posts with a star for one
	// segment, or *.php for an ending.
	Path []string `yaml:"path" hint:"paths,uri,prefix,location"`
	// Methods, in capitals.
	Method []string `yaml:"method" hint:"methods"`
	// Header fields, by name, and the values that they have; "*": any value.
	Header map[string]string `yaml:"header" hint:"headers"`
}

// RouteLimit bounds what clients may send to a route.
type RouteLimit struct {
	// Most requests a second from one client, besides limits.rate; 0: no limit.
	Rate Rate `yaml:"rate" default:"0/s"`
	// Requests that a client can make at once before the rate applies. The default is those of
	// one second.
	Burst int `yaml:"burst" default:"0"`
	// What tells clients apart: address, or header: and the name of a field.
	By string `yaml:"by" default:"address"`
	// Most bytes in the body of a request, in place of limits.body; 0: that one.
	Body Size `yaml:"body" default:"0" hint:"max-body-size"`
}

// Retry says which requests of an app are served by another worker when one has failed them.
type Retry struct {
	// refused: no worker has begun with the request: the one that it waits for died, or is slower to
	// begin than another. died: the worker died with it, and the method is idempotent. An empty
	// list: none.
	On []string `yaml:"on" default:"refused,died" enum:"refused,died"`
	// How often after a worker died with the request; 0: never.
	Times int `yaml:"times" short:"true" default:"1" enum:"0,1" hint:"attempts,tries"`
}

// Files serves the files of a folder. What a symbolic link leads to outside of it is not served.
type Files struct {
	// The folder.
	Root Path `yaml:"root" short:"true" required:"true" hint:"path,dir,directory,folder"`
	// File that stands for a folder.
	Index string `yaml:"index" default:"index.html"`
	// Serve NAME.zst, NAME.br or NAME.gz in place of NAME, to clients that accept it.
	Precompressed []string `yaml:"precompressed" enum:"zst,br,gz"`
	// How long clients may keep a file; 0: nothing is said.
	Expires Duration `yaml:"expires" default:"0s" hint:"max-age,cache"`
	// File, such as /index.html, for paths that no file has.
	Fallback string `yaml:"fallback" hint:"try-files"`
	// Serve files whose names begin with a dot; .well-known always is.
	Dotfiles bool `yaml:"dotfiles" default:"false"`
}

// Redirect sends clients elsewhere.
type Redirect struct {
	// Target; $scheme, $host, $path and $query are those of the request, and $$ is a dollar.
	To string `yaml:"to" short:"true" required:"true" hint:"target,location,url"`
	// Status of the response.
	Status int `yaml:"status" default:"307" enum:"301,302,303,307,308" hint:"code"`
}

// Respond answers without an app.
type Respond struct {
	// Status of the response. Without it, 200.
	Status int `yaml:"status" short:"true" hint:"code"`
	// Body of the response.
	Body string `yaml:"body" hint:"text"`
	// Content-Type of the response.
	Type string `yaml:"type" default:"text/plain; charset=utf-8" hint:"content-type"`
}
