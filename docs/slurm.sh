#!/bin/bash
# Two nodes of four GPUs. Before its time is up the job is warned, saves, and goes back into the queue; there it goes on.
#SBATCH --job-name=pinn
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append

run=runs/pinn-$SLURM_JOB_ID
if [ -f "$run/checkpoints/last.ckpt" ]; then
    begin=(--resume "$run")
else
    begin=(--config configs/paper/wave.yaml --name "$(basename "$run")")
fi

srun python train.py "${begin[@]}" --accelerator gpu --strategy ddp \
    --num_nodes "$SLURM_NNODES" --devices "$SLURM_NTASKS_PER_NODE"

[ $? = 138 ] && scontrol requeue "$SLURM_JOB_ID"
