package storageos

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("b", 61) // 253
	for s, want := range map[string]string{
		"storageos":                        "http://storageos:5705",
		"storageos/":                       "http://storageos:5705",
		"StorageOS.Storage.svc":            "http://StorageOS.Storage.svc:5705",
		"storageos.storage.svc.":           "http://storageos.storage.svc.:5705",
		"1st.node-2":                       "http://1st.node-2:5705",
		"xn--bcher-kva.example":            "http://xn--bcher-kva.example:5705",
		"10.0.0.1":                         "http://10.0.0.1:5705",
		"10.0.0.1:80":                      "http://10.0.0.1:80",
		"https://a.b":                      "https://a.b:5705",
		"HTTPS://a.b":                      "https://a.b:5705",
		"https://a.b:443/":                 "https://a.b:443",
		"a:65535":                          "http://a:65535",
		"a:080":                            "http://a:80",
		"[::1]":                            "http://[::1]:5705",
		"[::1]:5705":                       "http://[::1]:5705",
		"http://[::1]":                     "http://[::1]:5705",
		"https://[::ffff:1.2.3.4]:1/":      "https://[::ffff:1.2.3.4]:1",
		"http://[fe80::1%25eth0]":          "http://[fe80::1%25eth0]:5705",
		label:                              "http://" + label + ":5705",
		longest:                            "http://" + longest + ":5705",
		longest + ".":                      "http://" + longest + ".:5705",
		"":                                 "",
		" ":                                "",
		"\n":                               "",
		"ftp://a":                          "",
		"://a":                             "",
		"http://":                          "",
		"http:///":                         "",
		"http://:5705":                     "",
		":5705":                            "",
		".":                                "",
		"a..b":                             "",
		".a":                               "",
		"a..":                              "",
		"-x":                               "",
		"x-":                               "",
		"a.-b":                             "",
		"host_name":                        "",
		"a" + label:                        "",
		"b" + longest:                      "",
		`"storageos"`:                      "",
		`'storageos'`:                      "",
		"$(STORAGEOS_HOST)":                "",
		"${STORAGEOS_HOST}":                "",
		"$STORAGEOS_HOST":                  "",
		"http://$(STORAGEOS_HOST):5705":    "",
		"{{ .Values.endpoint }}":           "",
		"storageos,storageos2":             "",
		"a:1,b:2":                          "",
		"storageos;":                       "",
		"storage os":                       "",
		" storageos":                       "",
		"storageos ":                       "",
		"storageos\n":                      "",
		"stor\x00age":                      "",
		"stor\x7fage":                      "",
		"bücher.example":                   "",
		"ｓtorageos":                        "",
		"storage%6fs":                      "",
		"storage%20os":                     "",
		"*.storageos":                      "",
		"1.2.3":                            "",
		"1.2.3.4.5":                        "",
		"256.1.1.1":                        "",
		"01.2.3.4":                         "",
		"1.2.3.4.":                         "",
		"12":                               "",
		"a.12":                             "",
		"::1":                              "",
		"::1:5705":                         "",
		"fe80::1%eth0":                     "",
		"[::1":                             "",
		"http://[::1":                      "",
		"::1]":                             "",
		"[]":                               "",
		"[a]":                              "",
		"[1.2.3.4]":                        "",
		"[[::1]]":                          "",
		"[::1]a":                           "",
		"[::1]5705":                        "",
		"[fe80::1%eth0]":                   "",
		"[fe80::1%25]":                     "",
		"[fe80::%%25]":                     "",
		"[fe80::1%a%25b]":                  "",
		"[fe80::1%25a/b]":                  "",
		"[fe80::1%25" + longest[:16] + "]": "",
		"a:0":                              "",
		"a:70000":                          "",
		"a:b":                              "",
		"a:":                               "",
		"http://a:/":                       "",
		"a:+80":                            "",
		"a:-80":                            "",
		"a:0x50":                           "",
		"a:8_0":                            "",
		"a:80:80":                          "",
		"a:http":                           "",
		"http://u:secret@a":                "",
		"http://a/v2":                      "",
		"http://a//":                       "",
		"a/v2":                             "",
		`a\v2`:                             "",
		"http:/a":                          "",
		"http:a":                           "",
		"//a":                              "",
		"http://http://a":                  "",
		"http://a?b":                       "",
		"http://a?":                        "",
		"http://a#":                        "",
		"http://a#b":                       "",
	} {
		u, err := ParseEndpoint(s)
		switch {
		case err != nil && want != "":
			t.Errorf("%q: %v", s, err)
		case err == nil && u.String() != want:
			t.Errorf("%q: %s, want %q", s, u, want)
		case err == nil:
			if again, err := url.Parse(u.String()); err != nil || again.Hostname() != u.Hostname() || again.Port() != u.Port() {
				t.Errorf("%q: %v as a URL: %v", s, again, err)
			}
		}
	}
}

// Whatever is malformed, no error quotes what could be a password.
func TestEndpointErrorsTellNoPassword(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		"http://me:s3cr3t@host", "me:s3cr3t@host:%zz", "http://me:s3cr3t@ho st",
		"//admin:s3cr3t@host", "http://host/admin:s3cr3t@", "http:/admin:s3cr3t@host", "http:admin:s3cr3t@host",
		"admin:s3cr3t", "admin:s3cr3t:5705", "http://admin:s3cr3t", "admin/s3cr3t", "ftp://u:s3cr3t@h", "ftp://s3cr3t", "s3cr3t://h",
		"http://h:5705/?password=s3cr3t", "http://h?s3cr3t", "http://h#s3cr3t", "http://h/s3cr3t", "h:s3cr3t",
		"http://[::1/s3cr3t", "http://[::1]s3cr3t", "[s3cr3t]", "http://[s3cr3t", "http://admin:s3cr3t%40host", "admin%3as3cr3t%40host",
		"http://admin:s3cr3t@host:99999", "http://admin:s3cr3t@host:", "http://ad min:s3cr3t@host", "http://admin:s3cr3t \n@host",
		"http://admin:s3cr3t\x00@host", "http://admin:s3cr3t", "https:\\\\admin:s3cr3t@host", "$(s3cr3t)", "\"admin:s3cr3t\"", "s3cr3t_", "s3cr3t.1",
		"http://@s3cr3t@", "@s3cr3t", "s3cr3t@", "http://admin:@s3cr3t/", "http://admin:s3cr3t#@host", "http://admin:s3cr3t?@host", "http://admin:%zzs3cr3t@host",
	} {
		u, err := ParseEndpoint(endpoint)
		if err == nil {
			t.Errorf("%q: %v", endpoint, u)
		} else if text := err.Error(); strings.Contains(text, "s3cr3t") || strings.Contains(text, "admin") || strings.Contains(text, "\n") {
			t.Errorf("%q: %s", endpoint, text)
		}
	}
}
