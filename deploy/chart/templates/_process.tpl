{{/* The Deployment of one process. Of it are given: root, kind, values (its own), settings, ports, probed. */}}

{{- define "connector.process" -}}
{{- $root := .root -}}
{{- $hasSite := and $root.Values.site (ne .kind "relay") -}}
{{- $listens := eq .kind "mllp" -}}
{{- $annotations := mergeOverwrite (dict) $root.Values.podAnnotations -}}
{{- if $hasSite }}{{ $annotations = set $annotations "checksum/site" (sha256sum $root.Values.site) }}{{ end -}}
{{- if $listens }}{{ $annotations = set $annotations "checksum/listeners" (sha256sum .values.listeners) }}{{ end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "connector.name" $root }}-{{ .kind }}
  labels:
    {{- include "connector.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "connector.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .kind }}
  template:
    metadata:
      labels:
        {{- include "connector.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .kind }}
        connector/has-metrics: "yes"
      {{- with $annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "connector.pod" $root | nindent 6 }}
      terminationGracePeriodSeconds: {{ add $root.Values.shutdownDelay 30 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "connector.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .kind }}
      containers:
        - name: {{ .kind }}
          {{- include "connector.container" $root | nindent 10 }}
          args: [{{ .command }}]
          env:
            - name: SHUTDOWN_DELAY
              value: {{ $root.Values.shutdownDelay | quote }}
            {{- if $hasSite }}
            - name: SITE_CONFIG
              value: /etc/connector/site/site.toml
            {{- end }}
            {{- if $listens }}
            - name: MLLP_LISTENERS
              value: /etc/connector/listeners/listeners.toml
            {{- end }}
            {{- range $name, $value := .fixed }}
            - name: {{ $name }}
              value: {{ $value | toString | quote }}
            {{- end }}
            {{- with include "connector.environment" (dict "root" $root "settings" .values.settings) | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          ports:
            {{- range $name, $port := .ports }}
            - name: {{ $name }}
              containerPort: {{ $port }}
            {{- end }}
          {{- include "connector.probes" .probed | nindent 10 }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - name: scratch
              mountPath: /tmp
            {{- if $hasSite }}
            - name: site
              mountPath: /etc/connector/site
              readOnly: true
            {{- end }}
            {{- if $listens }}
            - name: listeners
              mountPath: /etc/connector/listeners
              readOnly: true
            {{- end }}
            {{- if $root.Values.tlsSecret }}
            - name: tls
              mountPath: /etc/connector/tls
              readOnly: true
            {{- end }}
      volumes:
        - name: scratch
          emptyDir:
            medium: Memory
            sizeLimit: 64Mi
        {{- if $hasSite }}
        - name: site
          configMap:
            name: {{ include "connector.name" $root }}-site
        {{- end }}
        {{- if $listens }}
        - name: listeners
          configMap:
            name: {{ include "connector.name" $root }}-listeners
        {{- end }}
        {{- if $root.Values.tlsSecret }}
        - name: tls
          secret:
            secretName: {{ $root.Values.tlsSecret }}
            defaultMode: 288 # 0440: the group of the pod reads it
        {{- end }}
{{- end -}}
