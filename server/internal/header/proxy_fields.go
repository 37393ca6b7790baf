package header

import "strings"

// ownPrefix begins the names of fields that only we write, see [proto.ClientField].
const ownPrefix = "Upload-Response-"

// proxyPrefixes and proxyNames are the fields in which proxies tell an application who its
// client is, what it has proved, or what it has asked for: applications believe them, so
// they come from nobody but a proxy that we trust. Those that the origin says for us
// are in fieldPolicies.
var proxyPrefixes = []string{"X-Forwarded-", "X-Ssl-", "Ssl-Client-", "X-Client-Cert", "X-Client-Ssl-", "X-Auth-Request-", "X-Envoy-"}

var proxyNames = []string{
	// its address
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "X-Forwarded", "X-Remote-Ip", "X-Remote-Addr", "Client-Ip",
	"True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Cf-Ipcountry", "Fastly-Client-Ip", "Fly-Client-Ip", "X-Azure-Clientip",
	// how it came, and what it has asked for
	"Front-End-Https", "X-Url-Scheme", "X-Scheme", "X-Script-Name", "X-Original-Url", "X-Original-Uri", "X-Original-Host", "X-Original-Method", "X-Rewrite-Url",
	"X-Accel-Mapping", "X-Sendfile-Type",
	// who it is
	"Remote-User", "Remote-Name", "Remote-Email", "Remote-Group", "Remote-Groups", "X-Remote-User", "X-Remote-Name", "X-Remote-Email", "X-Remote-Group", "X-Remote-Groups",
	"X-Authenticated-User", "X-Authenticated-Userid", "X-Authenticated-Groups", "X-Webauth-User", "X-Client-Dn", "X-Client-Verify",
}

func init() {
	for _, name := range proxyNames {
		fieldPolicies[name] = proxyOnly
	}
}

// proxyPolicyOf returns the policy for a field by the beginning of its name.
func proxyPolicyOf(canonical string) headerPolicy {
	for _, prefix := range proxyPrefixes {
		if strings.HasPrefix(canonical, prefix) {
			return proxyOnly
		}
	}
	return passField
}
