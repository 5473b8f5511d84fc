// Objects as a JSON array on standard input; a JSON array of what their kinds' models find wrong on standard output.
import { readFileSync } from "node:fs";

const models = {
  "cert-manager.io": "@kubernetes-models/cert-manager",
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

const problems = [];
for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  const [group] = object.apiVersion.split("/");
  const model = await import(`${models[group]}/${object.apiVersion}/${object.kind}`);
  try {
    new model[object.kind](object).validate();
  } catch (error) {
    problems.push(`${object.kind} ${object.metadata.name}: ${error.message}`);
  }
}
console.log(JSON.stringify(problems));
