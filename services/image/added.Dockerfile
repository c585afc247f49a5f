# A folder of a capstone that lies outside this checkout, on an image that is built already: its service on the chassis' image, its
# plug-in on the conductor's. The build context is the `services/` of that capstone's folder.
ARG BASE
FROM ${BASE}
ARG FOLDER
COPY ${FOLDER} /app/${FOLDER}
