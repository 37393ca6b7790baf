// Package meter counts and measures what the server does, so cheaply that every request can be measured: an
// observation is a few additions to words of memory, without a lock and without an allocation.
//
// What is measured is kept by labels that the configuration knows ahead - app, route, listener - or that come from a
// short fixed list: method, protocol, status. Nothing that a client sends becomes a label.
package meter
