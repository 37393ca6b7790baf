// Package meter counts and measures what the server does, so cheaply that every request can be measured: an
// observation is a few additions to words of memory, without a lock and without an allocation.
//
// Labels are known ahead: the configuration has the apps, routes and listeners, and methods, protocols and statuses
// come from short fixed lists. Nothing that a client sends becomes a label.
package meter
