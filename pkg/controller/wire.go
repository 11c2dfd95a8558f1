package controller

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

// NewRecordClient makes a client for records that reads them off the wire once, and sends
// each write once (sendonce.go). The
// generated one parses each event of a watch five times, mostly to find out what kind
// of object it is, and keeps who wrote which field, which nobody here asks for. It also
// fails at one value that no field can hold, and with it the watch of all records. Where
// an answer does not begin as the API server writes a record, or is not a list of them,
// it is left to the generated client's decoder.
func NewRecordClient(config *rest.Config) (versioned.Interface, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &v1.SchemeGroupVersion, "/apis"
	if c.UserAgent == "" {
		c.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	c.NegotiatedSerializer = wire{generatedSerializer()}
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

// wire is the generated client's serializer, but for records and for events of a watch.
type wire struct{ runtime.NegotiatedSerializer }

func (w wire) SupportedMediaTypes() []runtime.SerializerInfo {
	var all []runtime.SerializerInfo
	for _, info := range w.NegotiatedSerializer.SupportedMediaTypes() {
		if info.MediaType == runtime.ContentTypeJSON && info.StreamSerializer != nil {
			stream := *info.StreamSerializer
			stream.Serializer = eventSerializer{stream.Serializer}
			info.StreamSerializer = &stream
		}
		all = append(all, info)
	}
	return all
}

func (w wire) DecoderToVersion(d runtime.Decoder, gv runtime.GroupVersioner) runtime.Decoder {
	return recordDecoder{w.NegotiatedSerializer.DecoderToVersion(d, gv)}
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
		if l, err := readRecords(data); err == nil {
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
