// Package proto encodes and decodes HPKS frames, in which the headers and trailers
// of requests and responses lie in shared memory. It does no input or output and
// knows nothing of memory or sockets. Package proto/attach has the messages that
// open a link between the server and a worker.
//
// A worker on the slot-level API parses the first slot of a request with
// [Request.Parse], or lets worker.Request.Header do it, and a trailers slot with
// [ParseFields]. [AppendRequest], [AppendResponse] and [AppendFields] encode.
//
// # HPKS, stream version 1
//
// Byte for byte the stream format of http-pack, so frames may be relayed to
// and from its other implementations. Numbers of fixed width are big-endian;
// every length and count is a varint: unsigned LEB128 of at most 10 bytes.
//
//	0       4     5      6            14     15     16
//	+-------+-----+------+------------+------+------+---------------------+
//	| HPKS  |  1  |   1  | stream id  | kind | http | a request or a      |
//	+-------+-----+------+------------+------+------+ response, see below |
//	                                                +---------------------+
//	+-------+-----+------+------------+--------+-------------+
//	| HPKS  |  1  |   2  | stream id  | length | body bytes  |
//	+-------+-----+------+------------+--------+-------------+
//	+-------+-----+------+------------+-----------+
//	| HPKS  |  1  |   3  | stream id  | flags = 0 |
//	+-------+-----+------+------------+-----------+
//
//	magic     4 bytes  "HPKS"
//	version   u8       1, the version of this format
//	type      u8       1 headers, 2 body, 3 end; see FrameType
//	stream id u64      never reused by a server
//	kind      u8       1 request, 2 response; see Kind
//	http      u8       1 HTTP/1.1, 2 HTTP/2, 3 HTTP/3; see Version
//
//	request   method, scheme, authority, path, header list
//	          each of the four: varint length, bytes; scheme and authority
//	          may be empty, an empty path means "/"
//	response  u16 status, header list
//	header    varint count, at most MaxFields, and for each field
//	list      varint length, name, varint length, value
//
// A trailers slot holds a header list alone, without the frame around it: see
// AppendFields and ParseFields.
//
// Encoding and decoding accept the same characters:
//
//	method     a token (RFC 9110 section 5.6.2), not empty
//	scheme     letters, digits, "+", "-", "." (RFC 3986 section 3.1)
//	authority  the characters of RFC 3986 section 3.2
//	path       any byte but controls, DEL and space
//	status     100 to 999
//	name       a token of at most 65535 bytes, not empty; stored lower-case
//	value      HTAB, SP, visible characters and bytes from 0x80
//	           (RFC 9110 section 5.5); whitespace at its ends is kept
package proto
