// Package recordclient makes the client with which records are read and written. It
// decodes them itself, for three reasons. The generated client parses each event of a
// watch five times, mostly to find out what kind of object it is. It keeps the managed
// fields, for which nobody here asks. And one value that no field can hold, which the API
// server takes all the same, ends its watch of all records.
package recordclient

import (
	"bytes"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/scheme"
)

// New makes a client for records that decodes each of them once, sends each write once and
// waits for an answer for no longer than Patience. An answer that does not begin as the API
// server writes a record, or that is not a list of records, is left to the generated client's
// decoder.
func New(config *rest.Config) (versioned.Interface, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &v1.SchemeGroupVersion, "/apis"
	if c.UserAgent == "" {
		c.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	c.NegotiatedSerializer = serializer{generatedSerializer()}
	c.Wrap(TimeLimit)
	c.Wrap(func(rt http.RoundTripper) http.RoundTripper { return sendOnce{rt} })
	client, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, err
	}
	return versioned.New(client), nil
}

func generatedSerializer() runtime.NegotiatedSerializer {
	return rest.CodecFactoryForGeneratedClient(scheme.Scheme, scheme.Codecs).WithoutConversion()
}

// serializer is the generated client's, but for records and for events of a watch.
type serializer struct{ runtime.NegotiatedSerializer }

func (s serializer) SupportedMediaTypes() []runtime.SerializerInfo {
	var all []runtime.SerializerInfo
	for _, info := range s.NegotiatedSerializer.SupportedMediaTypes() {
		if info.MediaType == runtime.ContentTypeJSON && info.StreamSerializer != nil {
			stream := *info.StreamSerializer
			stream.Serializer = eventSerializer{stream.Serializer}
			info.StreamSerializer = &stream
		}
		all = append(all, info)
	}
	return all
}

func (s serializer) DecoderToVersion(d runtime.Decoder, gv runtime.GroupVersioner) runtime.Decoder {
	return recordDecoder{s.NegotiatedSerializer.DecoderToVersion(d, gv)}
}

// eventSerializer reads the envelope of an event of a watch.
type eventSerializer struct{ runtime.Serializer }

var (
	eventStart = []byte(`{"type":"`)
	eventKind  = metav1.SchemeGroupVersion.WithKind("WatchEvent")
)

func (s eventSerializer) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if e, ok := into.(*metav1.WatchEvent); ok && bytes.HasPrefix(data, eventStart) && json.Unmarshal(data, e) == nil {
		return e, &eventKind, nil
	}
	return s.Serializer.Decode(data, defaults, into)
}

// recordDecoder reads records, and lists of them.
type recordDecoder struct{ runtime.Decoder }

var (
	recordStart = []byte(`{"apiVersion":"` + v1.SchemeGroupVersion.String() + `","kind":"Volume",`)
	recordKind  = v1.SchemeGroupVersion.WithKind("Volume")
	listKind    = v1.SchemeGroupVersion.WithKind("VolumeList")
)

func (d recordDecoder) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if list, ok := into.(*v1.VolumeList); ok {
		if l, err := readRecords(bytes.NewReader(data)); err == nil {
			*list = *l
			return list, &listKind, nil
		}
	}
	v, ok := into.(*v1.Volume)
	if (ok || into == nil) && bytes.HasPrefix(data, recordStart) {
		if r, err := readRecord(data); err == nil {
			if !ok {
				return r, &recordKind, nil
			}
			*v = *r
			return v, &recordKind, nil
		}
	}
	return d.Decoder.Decode(data, defaults, into)
}
