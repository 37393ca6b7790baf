package server

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ErrNeedsUpgrade is returned when a part of a configuration cannot change while the server
// runs. It is an [*UpgradeError].
var ErrNeedsUpgrade = errors.New("cannot change while the server runs: needs an upgrade")

// UpgradeError says which parts of a configuration cannot change while the server runs.
type UpgradeError struct {
	Fields []string // of [Config]
}

// Error names the fields.
func (e *UpgradeError) Error() string {
	return fmt.Sprintf("%s %v", strings.Join(e.Fields, ", "), ErrNeedsUpgrade)
}

// Is reports whether target is [ErrNeedsUpgrade].
func (e *UpgradeError) Is(target error) bool { return target == ErrNeedsUpgrade }

// liveFields are the fields of [Config] that can change while the server runs.
var liveFields = []string{
	"Routes", "ErrorPages", "BodyLimit", "FieldLimit", "AllowTrace", "MessageLimit", "PingInterval",
	"RequestRate", "RequestBurst", "RequestRateHeader", "Compress", "CompressMin", "Log", "AccessLog",
	"AccessLogDetails", "AccessLogSkip", "Tracer",
	"ResponseTimeout", "StuckAfter", "PoolConfigs", "ClientTimeout", "StallTime", "MinBodyRate", "QueueLength",
	"QueueTime", "Supervised", "OpenPools", "AllowUIDs", "AllowGIDs", "PoolUIDs", "PoolGIDs", "StartedWorkers",
	"LinksPerProcess", "LinksPerUser", "LinksPerPool", "HeaderLimit", "TrustedProxies", "TrustUnix", "WindowMemory",
}

// Reconfigure has requests that come from now on served by another configuration. Those in
// progress, uploads, downloads and WebSockets among them, go on with the one that they began
// with. On an error nothing has changed: the configuration makes no sense, a folder or an
// error page cannot be read, or something changes that cannot, see [UpgradeError]. Functions
// stay as they are. A [Server] refuses headers over four times the HeaderLimit that it began with;
// open connections of proxies are trusted as they were. A pool to which no route leads any more
// serves whoever waits for it, and then its workers are told to go. A client keeps what it has
// used of a rate if that rate stays the same.
func (r *UploadResponseRouter) Reconfigure(c Config) error {
	r.reconfiguring.Lock()
	defer r.reconfiguring.Unlock()
	if c.Log == nil {
		c.Log = r.config.Log
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := r.config.checkLive(&c); err != nil {
		return err
	}
	if err := r.use(&c); err != nil {
		return err
	}
	r.config.takeLive(&c)
	return nil
}

// use has both halves use a checked configuration. In between, requests may choose by the old
// routes, which lead to pools that are still there.
func (r *UploadResponseRouter) use(c *Config) error {
	forRelay, err := c.forRelay(r.trust, r.windows)
	if err != nil {
		return err
	}
	next, err := r.relay.Prepare(forRelay)
	if err != nil {
		return err
	}
	forDispatcher := c.forDispatcher()
	r.dispatcher.AddPools(&forDispatcher)
	r.dispatcher.Reconfigure(forDispatcher)
	r.trust.Set(slices.Clone(c.TrustedProxies), c.TrustUnix)
	r.windows.SetTotal(c.WindowMemory)
	r.clientTimes.Set(c.ClientTimeout, c.StallTime)
	r.relay.Use(next)
	r.dispatcher.RetirePools()
	return nil
}

// checkLive returns an error if another configuration differs in a field that cannot change.
func (c *Config) checkLive(other *Config) error {
	var changed []string
	before, after := reflect.ValueOf(c).Elem(), reflect.ValueOf(other).Elem()
	for i := range before.NumField() {
		field := before.Type().Field(i)
		if slices.Contains(liveFields, field.Name) || field.Type.Kind() == reflect.Func {
			continue
		}
		if !equal(before.Field(i), after.Field(i)) {
			changed = append(changed, field.Name)
		}
	}
	if changed != nil {
		return &UpgradeError{Fields: changed}
	}
	return nil
}

// equal reports whether two values of a field mean the same; an empty list is as good as
// none.
func equal(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// takeLive takes over the fields that can change. The others may be read meanwhile.
func (c *Config) takeLive(other *Config) {
	to, from := reflect.ValueOf(c).Elem(), reflect.ValueOf(other).Elem()
	for _, name := range liveFields {
		to.FieldByName(name).Set(from.FieldByName(name))
	}
}
