package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks the admin listener of a server.
type Client struct {
	address Address
	token   string
	http    *http.Client
}

// ErrNoServer is returned when nobody listens at the address.
var ErrNoServer = errors.New("no server answers")

// dialTime is how long a connection may take.
const dialTime = 5 * time.Second

// NewClient returns a client for an address, which is not off. The token is empty for a Unix
// socket.
func NewClient(a Address, token string) *Client {
	dialer := &net.Dialer{Timeout: dialTime}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, a.Network, a.Where)
		},
		ResponseHeaderTimeout: requestTime, DisableCompression: true,
	}
	return &Client{address: a, token: token, http: &http.Client{Transport: transport}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Transport returns what sends requests to the server.
func (c *Client) Transport() http.RoundTripper { return c.http.Transport }

// Status returns what the server does.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var status Status
	return &status, c.call(ctx, http.MethodGet, "/status", nil, &status)
}

// Streams returns running requests: of an app, if it is not empty, and only those that have run
// for a time.
func (c *Client) Streams(ctx context.Context, app string, slow time.Duration) (list []Stream, err error) {
	query := url.Values{}
	if app != "" {
		query.Set("app", app)
	}
	if slow > 0 {
		query.Set("slow", slow.String())
	}
	return list, c.call(ctx, http.MethodGet, "/streams?"+query.Encode(), nil, &list)
}

// Cancel ends a running request.
func (c *Client) Cancel(ctx context.Context, id uint64) error {
	return c.call(ctx, http.MethodDelete, "/streams/"+strconv.FormatUint(id, 10), nil, nil)
}

// Restart has the processes of an app, or of a worker (APP/SLOT), replaced.
func (c *Client) Restart(ctx context.Context, name string) (*Restarted, error) {
	var answer Restarted
	return &answer, c.call(ctx, http.MethodPost, pathOf(name)+"/restart", nil, &answer)
}

// Scale sets the number of workers of an app.
func (c *Client) Scale(ctx context.Context, app string, processes int) (*Scale, error) {
	wanted := &Scale{Processes: processes}
	return wanted, c.call(ctx, http.MethodPost, pathOf(app)+"/scale", wanted, wanted)
}

// Drain has an app get no more requests, or with undrain get them again.
func (c *Client) Drain(ctx context.Context, app string, undrain bool) (*Drained, error) {
	order := "/drain"
	if undrain {
		order = "/undrain"
	}
	var answer Drained
	return &answer, c.call(ctx, http.MethodPost, pathOf(app)+order, nil, &answer)
}

// Stacks returns the stacks of a worker (APP/SLOT).
func (c *Client) Stacks(ctx context.Context, worker string) (*Stacks, error) {
	var answer Stacks
	return &answer, c.call(ctx, http.MethodPost, pathOf(worker)+"/stacks", nil, &answer)
}

// Reload has the server read its files again, and returns when that is done.
func (c *Client) Reload(ctx context.Context) (*Reloaded, error) {
	var answer Reloaded
	return &answer, c.patient().call(ctx, http.MethodPost, "/reload", nil, &answer)
}

// Upgrade has another process take the place of the server, and returns when it serves.
func (c *Client) Upgrade(ctx context.Context) (*Upgraded, error) {
	var answer Upgraded
	return &answer, c.patient().call(ctx, http.MethodPost, "/upgrade", nil, &answer)
}

// patient returns a client that waits for an answer as long as its context lets it.
func (c *Client) patient() *Client {
	transport := c.http.Transport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout, transport.DisableKeepAlives = 0, true
	return &Client{address: c.address, token: c.token, http: &http.Client{Transport: transport}}
}

// pathOf returns the path of an app, or of a worker.
func pathOf(name string) string {
	app, slot, isWorker := strings.Cut(name, "/")
	if isWorker {
		return "/workers/" + url.PathEscape(app) + "/" + url.PathEscape(slot)
	}
	return "/apps/" + url.PathEscape(app)
}

// maxAnswer is the most bytes in an answer.
const maxAnswer = 64 << 20

// call sends a request with a body, if it is not nil, and decodes the answer, unless nobody
// wants it. It returns a [*Problem] if the server refuses.
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	response, err := c.send(ctx, method, path, body, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("the server at %s answers what makes no sense: %w", c.address, err)
	}
	return nil
}

// send sends a request, and returns a response with a status of success. Release: the body.
func (c *Client) send(ctx context.Context, method, path string, body any, header http.Header) (*http.Response, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		text = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.host()+path, text)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(err)
	}
	if response.StatusCode/100 != 2 {
		defer response.Body.Close()
		return nil, problemOf(response)
	}
	return response, nil
}

func (c *Client) host() string {
	if c.address.Network == "tcp" {
		return c.address.Where
	}
	return "localhost"
}

// explain says what it means that a request did not get through.
func (c *Client) explain(err error) error {
	var failure *net.OpError
	if errors.As(err, &failure) && failure.Op == "dial" {
		return fmt.Errorf("%w at %s: %w", ErrNoServer, c.address, failure.Err)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s: %w", c.address, err)
}

// problemOf returns the error that a response tells.
func problemOf(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxBody))
	problem := &Problem{}
	if json.Unmarshal(text, problem) != nil || problem.Detail == "" {
		return &Problem{Status: response.StatusCode, Detail: strings.TrimSpace(response.Status + " " + string(text))}
	}
	return problem
}
