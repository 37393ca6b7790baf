package meter

import (
	"sync"
	"time"
)

// Meters is all that a server measures.
type Meters struct {
	// Reasons are the labels of the ways in which a request fails, by the numbers that [Request] has for them.
	Reasons []string

	mu        sync.Mutex
	apps      []*App
	routes    []*Route
	listeners []*Listener
}

// New returns meters that count failures by these reasons.
func New(reasons []string) *Meters { return &Meters{Reasons: reasons} }

// App is what is measured of the requests of one app.
type App struct {
	Name string // empty: requests that reached no route

	WebSockets Gauge   // open
	Received   Counter // bytes of request bodies
	Sent       Counter // bytes of response bodies
	QueueWait  Histogram
	Errors     []Counter // by reason
}

// App returns the app of a name, which it makes when it is new.
func (m *Meters) App(name string) *App {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.app(name)
}

func (m *Meters) app(name string) *App {
	for _, a := range m.apps {
		if a.Name == name {
			return a
		}
	}
	a := &App{Name: name, Errors: make([]Counter, len(m.Reasons))}
	m.apps = append(m.apps, a)
	return a
}

// Route returns the route of an app with a name, which it makes when it is new: what was counted stays when a
// configuration is loaded again.
func (m *Meters) Route(app, name string) *Route {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.app(app)
	for _, r := range m.routes {
		if r.App == a && r.Name == name {
			return r
		}
	}
	r := &Route{App: a, Name: name}
	m.routes = append(m.routes, r)
	return r
}

// Apps returns the apps so far.
func (m *Meters) Apps() []*App {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.apps[:len(m.apps):len(m.apps)]
}

// Routes returns the routes so far.
func (m *Meters) Routes() []*Route {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.routes[:len(m.routes):len(m.routes)]
}

// Listener is what is measured of the connections that came in at one address.
type Listener struct {
	Name string
	open [protocols]Gauge
}

// Listener returns the listener of an address, which it makes when it is new.
func (m *Meters) Listener(name string) *Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.listeners {
		if l.Name == name {
			return l
		}
	}
	l := &Listener{Name: name}
	m.listeners = append(m.listeners, l)
	return l
}

// Listeners returns the listeners so far.
func (m *Meters) Listeners() []*Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.listeners[:len(m.listeners):len(m.listeners)]
}

// Open counts a connection in, and Close counts it out.
func (l *Listener) Open(p Protocol) { l.open[p].Add(1) }

// Close counts a connection out.
func (l *Listener) Close(p Protocol) { l.open[p].Add(-1) }

// EachOpen calls f with the number of open connections of each protocol that a listener can carry.
func (l *Listener) EachOpen(f func(p Protocol, open int64)) {
	for p := HTTP11; p < protocols; p++ {
		f(p, l.open[p].Load())
	}
}

// Unknown stands for a time that was not measured.
const Unknown = time.Duration(-1)
