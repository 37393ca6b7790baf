// Package attach encodes and decodes the messages with which a worker attaches to
// the server, and says where the two meet.
//
// One message is one MessagePack map in one SOCK_SEQPACKET packet of at most
// [MaxMessage] bytes: see [Message] for the rules, and [Hello], [Welcome], [Refusal],
// [Drain] and [Bye] for the keys. docs/protocol.md has the order in which they are sent.
//
// [DefaultSocket] is the path of the socket if nobody names another one.
package attach
