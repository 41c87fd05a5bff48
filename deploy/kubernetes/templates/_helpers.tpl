{{- define "driftwarden.name" -}}
{{- if contains "driftwarden" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-driftwarden" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* What a selector selects by: (list $ "worker"). */}}
{{- define "driftwarden.selector" -}}
app.kubernetes.io/name: driftwarden
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Name, namespace and labels: (list $ "worker"). */}}
{{- define "driftwarden.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "driftwarden.name" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "driftwarden.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{- define "driftwarden.image" -}}
image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* What every pod may do, which is little. Variables of other Services would look like settings of ours. */}}
{{- define "driftwarden.pod" -}}
enableServiceLinks: false
automountServiceAccountToken: false
securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
{{- with .Values.pod }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "driftwarden.container" -}}
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}

{{- define "driftwarden.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "driftwarden.selector" . | fromYaml | toJson }}}
{{- end }}

{{/* Settings as text: a large number is not to become 1e+06. */}}
{{- define "driftwarden.settings" -}}
{{- $settings := dict
  "DRIFTWARDEN_HOST" "0.0.0.0"
  "DRIFTWARDEN_PORT" "8700"
  "DRIFTWARDEN_METRICS_PORT" "9400"
  "DRIFTWARDEN_LOG_FORMAT" "json"
  "DRIFTWARDEN_MODELS" "/etc/driftwarden/models.yaml" }}
{{- with .Values.ingress }}
{{- if .enabled }}
{{- $_ := set $settings "DRIFTWARDEN_PUBLIC_URL" (printf "%s://%s" (ternary "https" "http" (ne .tlsSecret "")) .host) }}
{{- end }}
{{- if .trustedProxies }}
{{- $_ := set $settings "FORWARDED_ALLOW_IPS" (join "," .trustedProxies) }}
{{- end }}
{{- end }}
{{- if .Values.control.enabled }}
{{- $_ := set $settings "DRIFTWARDEN_CONTROL_URL" (printf "http://%s-control:9200/v1" (include "driftwarden.name" .)) }}
{{- end }}
{{- range $name, $value := mergeOverwrite $settings .Values.settings }}
- {name: {{ $name }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
{{- end }}
{{- end }}

{{/* The environment of api, worker and scheduler. What is named one by one must be in the Secret. */}}
{{- define "driftwarden.environment" -}}
env:
  {{- range list "DATABASE_URL" "REDIS_URL" "DRIFTWARDEN_SECRET_KEY" }}
  - {name: {{ . }}, valueFrom: {secretKeyRef: {name: {{ $.Values.existingSecret }}, key: {{ . }}}}}
  {{- end }}
  {{- include "driftwarden.settings" . | trim | nindent 2 }}
envFrom:
  - secretRef: {name: {{ .Values.existingSecret }}}
{{- end }}

{{/* A probe asks for longer than a process asks its databases (two seconds, and one more). */}}
{{- define "driftwarden.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 60}
livenessProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 3}
readinessProbe: {httpGet: {path: /readyz, port: {{ . }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3}
{{- end }}

{{- define "driftwarden.mounts" -}}
volumeMounts:
  - {name: models, mountPath: /etc/driftwarden, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "driftwarden.volumes" -}}
volumes:
  - {name: models, configMap: {name: {{ include "driftwarden.name" . }}-models}}
  - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
{{- end }}

{{- define "driftwarden.models" -}}
{{ .Values.models | default (.Files.Get "files/models.yaml") }}
{{- end }}

{{/* A pod that fails anyway may always be moved; with its database away, none of them is ready. */}}
{{- define "driftwarden.disruption" -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "driftwarden.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {matchLabels: {{ include "driftwarden.selector" . | fromYaml | toJson }}}
{{- end }}

{{/* By CPU: (list $ "worker"). */}}
{{- define "driftwarden.scaler" -}}
{{- $process := index (index . 0).Values (index . 1) -}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "driftwarden.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "driftwarden.name" (index . 0) }}-{{ index . 1 }}}
  minReplicas: {{ $process.replicas }}
  maxReplicas: {{ max $process.replicas $process.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ $process.autoscaling.cpuPercent }}}}
{{- end }}
