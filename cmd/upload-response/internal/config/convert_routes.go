package config

import (
	"slices"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// ServerRoutes returns the routes as the server takes them; nil if the file has neither routes
// nor apps.
//
// Preconditions: the file was read without an error.
func (f *File) ServerRoutes() (list []server.Route) {
	if len(f.Routes) == 0 {
		for _, name := range f.AppNames() { // there is one at most
			list = append(list, server.Route{Prefix: "/", Pool: name})
		}
		return list
	}
	for i := range f.Routes {
		list = append(list, f.serverRoute(indexed("routes", i), &f.Routes[i]))
	}
	return list
}

func (f *File) serverRoute(key string, r *Route) server.Route {
	to := server.Route{
		Name: r.Name, StripPrefix: r.StripPrefix, Pool: r.App,
		Match: server.Match{Hosts: r.Match.Host, Paths: r.Match.Path, Methods: r.Match.Method, Header: r.Match.Header},
		Limit: server.RouteLimit{Rate: float64(r.Limit.Rate), Burst: r.Limit.Burst, Body: int64(r.Limit.Body)},
	}
	if name, is := strings.CutPrefix(r.Limit.By, "header:"); is {
		to.Limit.Header = strings.TrimSpace(name)
	}
	if f.has(key + ".retry") {
		to.Retries = &server.Retries{
			OnRefused: slices.Contains(r.Retry.On, "refused"), Times: r.Retry.Times,
			OnDied: slices.Contains(r.Retry.On, "died") && r.Retry.Times > 0,
		}
	}
	if f.has(key + ".files") {
		to.Files = &server.Files{
			Root: string(r.Files.Root), Index: r.Files.Index, Precompressed: r.Files.Precompressed,
			Expires: time.Duration(r.Files.Expires), Fallback: r.Files.Fallback, Dotfiles: r.Files.Dotfiles,
		}
	}
	if f.has(key + ".redirect") {
		to.Redirect = &server.Redirect{To: r.Redirect.To, Status: r.Redirect.Status}
	}
	if f.has(key + ".respond") {
		to.Respond = &server.Respond{Status: r.Respond.Status, Body: r.Respond.Body, ContentType: r.Respond.Type}
	}
	return to
}

// ErrorPages returns how clients are told of failures, as the server takes it.
func (f *File) ErrorPages() server.ErrorPages {
	var to server.ErrorPages
	if f.has("errors.format") {
		to.Format = f.Errors.Format
	}
	for status, path := range f.Errors.Pages {
		if to.Pages == nil {
			to.Pages = map[string]string{}
		}
		to.Pages[status] = string(path)
	}
	return to
}
